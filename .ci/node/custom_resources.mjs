// Check the custom resources of a rendered overlay, a JSON list on standard input, by the schemas of their operators.
// Exit code 1 if something is wrong, with the kind, the name and the place on standard error.
import { readFileSync } from "node:fs";
import * as rollouts from "@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1/index";
import * as prometheus from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index";

const models = { "argoproj.io/v1alpha1": rollouts, "monitoring.coreos.com/v1": prometheus };
let wrong = 0;
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  const place = `${resource.kind} ${resource.metadata?.name}`;
  const Model = models[resource.apiVersion]?.[resource.kind];
  try {
    if (!Model) throw new Error(`no schema for ${resource.apiVersion}`);
    new Model(resource).validate();
  } catch (error) {
    console.error(`${place}: ${error.message}`);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);

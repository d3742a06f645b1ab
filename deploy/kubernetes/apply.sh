#!/usr/bin/env bash
# Bring an image to a cluster: `apply.sh <overlay> <image>`, as `make apply OVERLAY=staging IMAGE=…` calls it.
#
# Renders the overlay with the image, looks whether the secrets are there, applies, and waits until every pod is new and
# ready. With DRY_RUN=1 it prints the manifests and touches nothing. To go back: apply the image before.
#
# The first `canary` puts a Rollout beside a Deployment that serves: as many pods, of the same image, and the Deployment
# serves until all of them are ready.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
overlay=${1:-} image=${2:-}
overlays=$(cd overlays && echo *)
fail() { echo "$1" >&2; exit 1; }
[ -n "$overlay" ] && [ -d "overlays/$overlay" ] || fail "no overlay '$overlay'; say OVERLAY= one of: $overlays"
[ -n "$image" ] || fail 'say which image: IMAGE=<registry>/credit-scorer:<version>, as make image-push prints it'
[[ $image =~ ^[a-z0-9][a-zA-Z0-9._/:@-]*[:@][a-zA-Z0-9._:-]+$ ]] || fail "IMAGE=$image has no tag and no digest, or signs that none has"
command -v kubectl > /dev/null || fail 'no kubectl here; install it, 1.27 or newer'

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
manifests=$scratch/manifests.yaml
render() {  # <folder of a kustomization>
  kubectl kustomize "$1" | sed "s|image: credit-scorer:set-by-make-apply|image: $image|" > "$manifests"
}
render "overlays/$overlay"
if [ "${DRY_RUN:-}" = 1 ]; then
  cat "$manifests"
  exit
fi

namespace=$(sed -n 's/^namespace: //p' "overlays/$overlay/kustomization.yaml")
of() { kubectl --namespace "$namespace" "$@"; }
kubectl get --raw /readyz > /dev/null 2>&1 ||
  fail 'no cluster answers; choose one: kubectl config use-context <name>'
for secret in scorer-keys scorer-log-key scorer-metrics-key; do
  of get secret "$secret" > /dev/null 2>&1 ||
    fail "the namespace $namespace has no secret $secret; make it: deploy/kubernetes/secrets.sh $namespace"
done
kubectl get crd servicemonitors.monitoring.coreos.com prometheusrules.monitoring.coreos.com > /dev/null 2> "$scratch/said" ||
  fail "this cluster does not know what Prometheus watches by: $(tail -n 1 "$scratch/said"); install the Prometheus Operator, or take servicemonitor.yaml and alerts.yaml out of deploy/kubernetes/base/kustomization.yaml (docs/deployment.md)"

# Whether a Rollout serves, and with how many pods. A cluster without Argo Rollouts knows no such kind.
knows=yes
found=$(of get rollouts.argoproj.io scorer --ignore-not-found --output='jsonpath={.metadata.name} {.spec.replicas}' 2> "$scratch/said") || {
  grep -q 'have a resource type' "$scratch/said" || fail "$(cat "$scratch/said")"
  knows= found=
}
first=
if [ "$overlay" != canary ]; then
  [ -z "$found" ] || fail "a Rollout serves in the namespace $namespace: say OVERLAY=canary, or take it away as docs/deployment.md#canary says"
else
  [ -n "$knows" ] || fail 'this cluster has no Argo Rollouts; install it, or say OVERLAY=production'
  # The Rollout takes its pods from the Deployment. One that has pods, as before the first canary and after a first that
  # never became healthy, would go over to another image at once, judged by nothing.
  deployed=$(of get deployment scorer --ignore-not-found --output='jsonpath={.spec.template.spec.containers[0].image} {.spec.replicas}')
  [ "${deployed#* }" != 0 ] || deployed=
  [ -z "$deployed" ] || [ "${deployed% *}" = "$image" ] ||
    fail "the first canary begins with the image that serves: IMAGE=${deployed% *}; once its Rollout is healthy, apply $image"
  if [ -z "$found" ] || [ -n "$deployed" ]; then first=yes; fi
  found=${found:-$deployed}
  # What others set is applied as it is, so that no apply scales anything or sends traffic elsewhere: the autoscaler the
  # number of pods, Argo Rollouts which of them are whose. A selector is one value: without its hash it would be another.
  echo "resources: [$(python3 -c 'import os, sys; print(os.path.relpath(*sys.argv[1:]))' "overlays/$overlay" "$(cd "$scratch" && pwd -P)")]" > "$scratch/kustomization.yaml"
  as_it_is() {  # <kind> <name> <path> <value>
    printf -- '- target: {kind: %s, name: %s}\n  patch: |\n    - {op: add, path: %s, value: %s}\n' "$@" >> "$scratch/patches"
  }
  : > "$scratch/patches"
  pods=${found#* }
  [ "${pods:-0}" = 0 ] || as_it_is Rollout scorer /spec/replicas "$pods"
  for service in scorer scorer-canary; do
    hash=$(of get service "$service" --ignore-not-found --output="jsonpath={.spec.selector['rollouts-pod-template-hash']}")
    [ -z "$hash" ] || as_it_is Service "$service" /spec/selector/rollouts-pod-template-hash "'$hash'"
  done
  if [ -s "$scratch/patches" ]; then
    { echo 'patches:'; cat "$scratch/patches"; } >> "$scratch/kustomization.yaml"
    render "$scratch"
  fi
fi

# Forced: what the manifests say holds, whoever has undone or edited it by hand since. Without it such an object
# would be refused.
kubectl apply --server-side --force-conflicts --field-manager=make-apply --filename "$manifests"
if [ "$overlay" != canary ]; then
  of rollout status deployment/scorer --timeout=10m ||
    fail "not every pod is ready; former ones still serve. To see why: kubectl --namespace $namespace describe pods; to go back: kubectl --namespace $namespace rollout undo deployment/scorer"
elif [ -n "$first" ]; then
  of wait rollout/scorer --for='jsonpath={.status.phase}=Healthy' --timeout=10m ||
    fail "not every pod of the Rollout is ready; the Deployment still serves. To see why: kubectl --namespace $namespace describe rollout scorer"
else
  echo "the canary goes on by itself; to watch it: kubectl argo rollouts --namespace $namespace get rollout scorer --watch" >&2
fi

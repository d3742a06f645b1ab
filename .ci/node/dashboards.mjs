// Check the Grafana dashboards given as files by the types that Grafana publishes, with TypeScript's own compiler.
// Exit code 1 if something is wrong, with the file, the line and what is wrong on standard error.
//
// Each file becomes one TypeScript module in memory, `const dashboard: Dashboard = <the JSON>;`, so that a key that does
// not exist is an error as well as one of a wrong type. What the types leave open is closed here: a panel has the options
// of its kind, and a target is a query of Prometheus, whose type is not among those published.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const KINDS = { timeseries: "TimeSeries", stat: "Stat", bargauge: "BarGauge", text: "Text" };
const WITH_FIELDS = ["timeseries"]; // kinds with settings of their own for a field
const HERE = dirname(fileURLToPath(import.meta.url));
const imports = Object.entries(KINDS).map(
  ([kind, name]) =>
    `import type * as ${kind} from "@grafana/schema/dist/esm/raw/composable/${kind}/panelcfg/x/${name}PanelCfg_types.gen";`,
);
const panels = Object.keys(KINDS).map(
  (kind) => `Kind<"${kind}", ${kind}.Options, ${WITH_FIELDS.includes(kind) ? `${kind}.FieldConfig` : "never"}>`,
);
const types = `
import type * as schema from "@grafana/schema";
${imports.join("\n")}
// In JSON a member of an enumeration of texts is its text.
type Json<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
// Options that are left out have Grafana's defaults.
type Part<T> = T extends (infer U)[] ? Part<U>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
type Query = { refId: string; expr: string; legendFormat?: string; instant?: boolean; range?: boolean; interval?: string };
type Fields<C> = Omit<schema.FieldConfig, "custom"> & { custom?: Part<C> };
type Kind<K extends string, O, C> = Omit<schema.Panel, "type" | "options" | "targets" | "fieldConfig"> & {
  type: K; title: string; description: string; options?: Part<O>; targets?: Query[];
  fieldConfig?: Omit<schema.FieldConfigSource, "defaults"> & { defaults: Fields<C> };
};
type Row = Omit<schema.RowPanel, "panels"> & { type: "row"; panels: [] };
type Variable = Omit<schema.VariableModel, "query"> & { query: { query: string; refId: string } };
export type Dashboard = Json<Omit<schema.Dashboard, "panels" | "templating"> & {
  uid: string; panels: (${panels.join(" | ")} | Row)[]; templating?: { list: Variable[] };
}>;
`;
const sources = new Map([[join(HERE, "dashboard_types.ts"), types]]);
const names = new Map();
for (const [number, file] of process.argv.slice(2).entries()) {
  const place = join(HERE, `dashboard_${number}.ts`);
  const json = readFileSync(file, "utf8").trimEnd();
  sources.set(place, `import type { Dashboard } from "./dashboard_types"; export const dashboard: Dashboard = ${json};\n`);
  names.set(place, file);
}
const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022, types: [] };
const host = ts.createCompilerHost(options);
const { fileExists, readFile, getSourceFile } = host;
host.fileExists = (name) => sources.has(name) || fileExists(name);
host.readFile = (name) => sources.get(name) ?? readFile(name);
host.getSourceFile = (name, target, ...more) =>
  sources.has(name) ? ts.createSourceFile(name, sources.get(name), target) : getSourceFile(name, target, ...more);
const found = ts.getPreEmitDiagnostics(ts.createProgram([...sources.keys()], options, host));
for (const { file, start, messageText } of found) {
  const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
  const name = names.get(file?.fileName) ?? file?.fileName ?? "typescript";
  console.error(`${name}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n  ")}`);
}
process.exit(found.length ? 1 : 0);

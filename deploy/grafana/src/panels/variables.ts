import { QueryVariableBuilder, VariableRefresh, VariableSort } from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "../queries/datasource.js";
import { renderTagValues } from "../queries/influxql.js";

/** What a variable offers. */
interface VariableFacts {
  readonly name: string;
  readonly label: string;
  readonly measurement: string;
  readonly tag: string;
  readonly description: string;
}

/** All stands for any value: the query stays short however large the fleet is, and takes in hosts that come later. */
export const allPattern = ".*";

function buildVariable({ name, label, measurement, tag, description }: VariableFacts): QueryVariableBuilder {
  const query = renderTagValues(measurement, tag);
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .description(description)
      .datasource(datasource)
      // As text: Grafana 11.0 reads no other form, and later ones read this one.
      .query(query)
      .definition(query)
      .multi(true)
      .includeAll(true)
      .allValue(allPattern)
      .refresh(VariableRefresh.OnDashboardLoad)
      .sort(VariableSort.NaturalAsc)
  );
}

/** The variables that dashboards share, by name; each is a tag of what they query. */
const variables = {
  host: () =>
    buildVariable({
      name: "host",
      label: "Host",
      measurement: "agent",
      tag: "host",
      description: "Hosts whose agents have reported",
    }),
  gpuHost: () =>
    buildVariable({
      name: "host",
      label: "Host",
      measurement: "nvidia_smi",
      tag: "host",
      description: "Hosts whose cards were seen",
    }),
  hw_class: () =>
    buildVariable({
      name: "hw_class",
      label: "Hardware class",
      measurement: "benchmark",
      tag: "hw_class",
      description: "Hosts that should perform alike: CPU model, cores, memory, GPUs",
    }),
  category: () =>
    buildVariable({
      name: "category",
      label: "Category",
      measurement: "benchmark",
      tag: "category",
      description: "What kind of work the benchmarks measure",
    }),
  benchmark: () =>
    buildVariable({
      name: "benchmark",
      label: "Benchmark",
      measurement: "benchmark",
      tag: "benchmark",
      description: "The workload",
    }),
  params: () =>
    buildVariable({
      name: "params",
      label: "Parameters",
      measurement: "benchmark",
      tag: "params",
      description: "The workload's parameters",
    }),
  runtime: () =>
    buildVariable({
      name: "runtime",
      label: "Runtime",
      measurement: "benchmark",
      tag: "runtime",
      description: "What executes tensor code; js where none is used",
    }),
  device: () =>
    buildVariable({ name: "device", label: "Device", measurement: "benchmark", tag: "device", description: "CPU or GPU" }),
  collector: () =>
    buildVariable({
      name: "collector",
      label: "Collector",
      measurement: "collector",
      tag: "host",
      description: "Collectors, by their own names",
    }),
} as const;

export type VariableName = keyof typeof variables;

/** What a dashboard opens with in a variable in place of All: values, or the first that there is. */
export type Opening = readonly string[] | "first";

/** The name that queries and links know a variable by. */
export function nameVariable(name: VariableName): string {
  return variables[name]().build().name;
}

export function buildSharedVariable(name: VariableName, selection?: Opening): QueryVariableBuilder {
  const variable = variables[name]();
  // Grafana opens on All wherever it offers All, so it does not here. Several can be selected all the same.
  if (selection === "first") return variable.includeAll(false);
  if (selection === undefined) return variable.current({ selected: true, text: ["All"], value: ["$__all"] });
  return variable.current({ selected: true, text: [...selection], value: [...selection] });
}

import type { Kpi } from "@fleetmark/shared/kpis";
import { as, equals, last, type Select, selected } from "./influxql.js";

/** Tags that tell a KPI's series on one host from each other. */
const seriesTags = ["benchmark", "params", "runtime", "device"] as const;

/** The variables that a panel of KPIs follows. */
export const kpiVariables = ["host", "hw_class", "benchmark", "runtime", "device"] as const;

export function kpiConditions(kpi: Kpi): string[] {
  return [equals("kpi", kpi.id), ...kpiVariables.map((name) => selected(name))];
}

/** The aggregate that picks, among results that feed a KPI, the one that speaks for the host: the catalogue's worst or best. */
export function speaker(kpi: Kpi): "min" | "max" {
  return (kpi.better === "lower") === (kpi.speaks === "worst") ? "max" : "min";
}

/** The latest value of each series of a KPI, then of those the one that speaks for each group. */
export function selectCurrent(kpi: Kpi, name: string, groupBy: readonly string[], where: readonly string[]): Select {
  const latest: Select = { fields: [as(last("value"), "v")], from: "kpi", where, groupBy: ["host", ...seriesTags] };
  return { fields: [as(`${speaker(kpi)}("v")`, name)], from: latest, groupBy };
}

/** The severity of the latest value of every series of every KPI. */
export function selectLatestSeverities(): Select {
  return {
    fields: [as(last("severity"), "severity")],
    from: "kpi",
    where: kpiVariables.map((name) => selected(name)),
    groupBy: ["host", "kpi", ...seriesTags],
  };
}

import { type Kpi, kpis } from "@fleetmark/shared/model/kpis";
import { as, divideBy, equals, isOneOf, last, quoteName, type Select, selected, youngerThan } from "./influxql.js";

/** Tags that tell a KPI's series on one host from each other. */
const seriesTags = ["benchmark", "params", "runtime", "device"] as const;

/** The variables that a panel of KPIs follows. */
export const kpiVariables = ["host", "hw_class", "benchmark", "runtime", "device"] as const;

export function kpiConditions(kpi: Kpi): string[] {
  return [equals("kpi", kpi.id), ...kpiVariables.map((name) => selected(name))];
}

/**
 * The aggregate that picks, among results that feed a KPI, the one that speaks for the host: the catalogue's worst or
 * best.
 */
export function speaker(kpi: Kpi): "min" | "max" {
  return (kpi.better === "lower") === (kpi.speaks === "worst") ? "max" : "min";
}

/**
 * The latest value of each series of a KPI, then of those the one that speaks for each group, in the KPI's own unit
 * unless that is divided.
 */
export function selectCurrent(kpi: Kpi, name: string, groupBy: readonly string[], where: readonly string[], divisor = 1): Select {
  const latest: Select = { fields: [as(last("value"), "v")], from: "kpi", where, groupBy: ["host", ...seriesTags] };
  return { fields: [as(divideBy(`${speaker(kpi)}("v")`, divisor), name)], from: latest, groupBy };
}

/** The KPIs for which the worst result of a host speaks, and those for which the best does. */
const bySpeaker = (speaks: Kpi["speaks"]): string[] => kpis.filter((kpi) => kpi.speaks === speaks).map(({ id }) => id);

const hourS = 3600;
const dayS = 24 * hourS;

/** Seconds that a reading speaks for its host where no schedule says so. */
export const plainFreshnessS = 26 * hourS;

/**
 * Ages at which readings by a schedule may still speak, seconds: each for as long as the longest of these that its own
 * limit allows. InfluxQL does not compare a time with a field.
 */
const scheduledFreshnessS = [2, 4, 7, 14].map((days) => days * dayS);

/** How far back a reading may lie that still speaks for its host, seconds. */
export const longestFreshnessS = Math.max(...scheduledFreshnessS);

/** The latest value of each series of a KPI that is not stale, then of those the one that speaks for each group. */
export function selectFresh(kpi: Kpi, name: string, groupBy: readonly string[]): Select {
  const series = ["host", ...seriesTags];
  const latest = (where: readonly string[]): Select => ({
    fields: [as(last("value"), "v")],
    from: "kpi",
    where: [equals("kpi", kpi.id), ...where],
    groupBy: series,
  });
  const scheduled = scheduledFreshnessS.map((age) => latest([`${quoteName("stale_after_s")} >= ${age}`, youngerThan(age)]));
  const newest: Select = {
    fields: [as(last("v"), "v")],
    from: [latest([youngerThan(plainFreshnessS)]), ...scheduled],
    groupBy: series,
  };
  return { fields: [as(`${speaker(kpi)}("v")`, name)], from: newest, groupBy };
}

/** How late each host's schedule is, as its agent says now; nothing of one that is silent or has no schedule. */
export function selectLateness(name: string): Select {
  return {
    fields: [as(last("schedule_lateness"), name)],
    from: "agent",
    where: [selected("host"), youngerThan(600)],
    groupBy: ["host"],
  };
}

/**
 * The severity of each KPI of each host, in buckets of time where a width is given: of all results that feed it, that
 * of the one that speaks for the host. A runtime that is slow beside a better one is no fault.
 */
export function selectSeverities(where: readonly string[], every?: string): Select[] {
  const buckets = every === undefined ? {} : ({ every, fill: "none" } as const);
  return (["worst", "best"] as const).map((speaks): Select => {
    const ofKind = [...where, isOneOf("kpi", bySpeaker(speaks))];
    const latest: Select = {
      fields: [as(last("severity"), "each")],
      from: "kpi",
      where: ofKind,
      groupBy: ["host", "kpi", ...seriesTags],
      ...buckets,
    };
    return {
      fields: [as(`${speaks === "worst" ? "max" : "min"}("each")`, "severity")],
      from: latest,
      groupBy: ["host", "kpi"],
      ...buckets,
    };
  });
}

/** Counts KPIs of hosts by the severity of their latest values. */
export function countSeverities(conditions: readonly string[]): Select {
  const where = kpiVariables.map((name) => selected(name));
  return { fields: [as('count("severity")', "KPIs")], from: selectSeverities(where), where: conditions };
}

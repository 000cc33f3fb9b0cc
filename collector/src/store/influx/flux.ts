import { mixedKinds } from "@fleetmark/shared/records/registry";
import { hourlyFields } from "../retention.js";
import { rollupLookback, wholeMeasurements } from "./roll-up.js";
import { nameBucket } from "./server/target.js";

/** Flux, for the tasks of InfluxDB 2.x alone: 1.x and 3.x do not run it, so that nothing is read with it. */

export function taskName(database: string): string {
  return `${database}_fleetmark_hourly`;
}

const functions: readonly (readonly [prefix: string, fn: string])[] = [
  [hourlyFields.mean, "mean"],
  [hourlyFields.min, "min"],
  [hourlyFields.max, "max"],
  [hourlyFields.last, "last"],
  [hourlyFields.count, "count"],
  [hourlyFields.p50, `(column, tables=<-) => tables |> quantile(q: 0.5, column: column, method: "exact_mean")`],
  [hourlyFields.p95, `(column, tables=<-) => tables |> quantile(q: 0.95, column: column, method: "exact_selector")`],
];

/** Full hours, microseconds since the Unix epoch. */
export interface HourRange {
  readonly startUs: number;
  readonly endUs: number;
  /** Of this host alone. */
  readonly host?: string;
}

function formatTime(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString();
}

/**
 * Rolls up by hour, as the continuous query of 1.x does: every float of what carries no suite.
 * Without a range it is a nightly task that looks back for late samples; with one, a query.
 */
export function buildRollupFlux({ database, org, range }: { database: string; org: string; range?: HourRange }): string {
  const bounds =
    range === undefined
      ? `start: date.truncate(t: -${rollupLookback}, unit: 1h), stop: date.truncate(t: now(), unit: 1h)`
      : `start: ${formatTime(range.startUs)}, stop: ${formatTime(range.endUs)}`;
  return [
    ...(range === undefined ? [`import "date"`] : []),
    `import "types"`,
    "",
    ...(range === undefined ? [`option task = {name: ${JSON.stringify(taskName(database))}, every: 1d, offset: 10m}`, ""] : []),
    `samples = from(bucket: ${JSON.stringify(nameBucket(database))})`,
    `    |> range(${bounds})`,
    ...(range?.host === undefined ? [] : [`    |> filter(fn: (r) => r.host == ${JSON.stringify(range.host)})`]),
    `    |> filter(fn: (r) => not exists r.suite and types.isType(v: r._value, type: "float"))`,
    "",
    "rollUp = (prefix, fn) => samples",
    `    |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")`,
    "    |> toFloat()",
    "    |> map(fn: (r) => ({r with _field: prefix + r._field}))",
    "",
    "union(",
    "    tables: [",
    ...functions.map(([prefix, fn]) => `        rollUp(prefix: "${prefix}", fn: ${fn}),`),
    "    ],",
    ")",
    `    |> to(bucket: ${JSON.stringify(nameBucket(database, "hourly"))}, org: ${JSON.stringify(org)})`,
    "",
  ].join("\n");
}

/** Copies what is kept whole to where it is kept longer. */
export function buildCopyFlux({ database, org }: { database: string; org: string }, keepS: number): string {
  const start = keepS === Number.POSITIVE_INFINITY ? "0" : `-${Math.floor(keepS)}s`;
  const ofMixed = mixedKinds.map(({ measurement, ownFields = [] }) => {
    return ` or r._measurement == "${measurement}" and r._field =~ /^(${ownFields.join("|")})$/`;
  });
  return [
    `from(bucket: ${JSON.stringify(nameBucket(database))})`,
    `    |> range(start: ${start})`,
    `    |> filter(fn: (r) => r._measurement =~ /^(${wholeMeasurements})$/${ofMixed.join("")})`,
    `    |> to(bucket: ${JSON.stringify(nameBucket(database, "records"))}, org: ${JSON.stringify(org)})`,
    "",
  ].join("\n");
}

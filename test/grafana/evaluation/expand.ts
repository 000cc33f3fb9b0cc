/**
 * What Grafana does to a query before InfluxDB sees it, for checks without Grafana. After its InfluxDB datasource:
 * interpolateQueryExpr in public/app/plugins/datasource/influxdb/datasource.ts, and Build in
 * pkg/tsdb/influxdb/models/query.go.
 */

/** What is selected in each variable: values, or all. */
export type Selection = Readonly<Record<string, readonly string[] | "all">>;

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Grafana's escapeRegex: what a regular expression or its slashes would read as their own gets a backslash. */
export function escapeRegex(value: string): string {
  return value.replace(/[\\^$*+?.()|[\]{}/]/g, "\\$&");
}

/** Values of a variable that takes several go in as `(a|b)`, one as `(a)`; its pattern for All goes in as it is. */
function interpolate(values: readonly string[] | "all", allPattern: string): string {
  if (values === "all") return allPattern;
  return `(${values.map(escapeRegex).join("|")})`;
}

/** Fills in the variables of a dashboard. A name that it does not have stays, for the server to stumble over. */
export function expandVariables(query: string, selection: Selection, allPatterns: Readonly<Record<string, string>>): string {
  return query.replace(/\$([a-z_]\w*)/gi, (whole, name: string) => {
    const values = selection[name];
    return values === undefined ? whole : interpolate(values, allPatterns[name]);
  });
}

/** Fills in the time range and the width of buckets; `now()` is the end of the range, at which Grafana asks. */
export function expandTimes(query: string, { fromMs, toMs }: TimeRange, intervalMs: number): string {
  return query
    .replaceAll("$timeFilter", `time >= ${fromMs}ms and time <= ${toMs}ms`)
    .replaceAll("$__interval", `${intervalMs}ms`)
    .replaceAll("now()", `${toMs}ms`);
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const niceIntervals = [
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 7, 30].map((n) => n * day),
];

/** The width of buckets that gives about so many points, at least the least: a round one, as Grafana picks them. */
export function pickInterval({ fromMs, toMs }: TimeRange, maxDataPoints: number, leastMs: number): number {
  const exact = (toMs - fromMs) / maxDataPoints;
  return Math.max(leastMs, niceIntervals.find((interval) => exact <= interval) ?? 30 * day);
}

/** Reads `30s`, `2m`, `24h`, `7d` as milliseconds. */
export function parseSpan(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text);
  if (match === null) throw new Error(`${JSON.stringify(text)} is not a span such as 30s or 24h`);
  return Number(match[1]) * { s: second, m: minute, h: hour, d: day }[match[2] as "s" | "m" | "h" | "d"];
}

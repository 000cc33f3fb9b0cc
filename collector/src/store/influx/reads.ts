import { FleetmarkError } from "@fleetmark/shared/errors";
import { pointToResult, pointToRun, type Result, type Run } from "@fleetmark/shared/result";
import { canonicalTags, type Point, type Series } from "@fleetmark/shared/series";
import { buildHostRecords, identifyBenchmark, readRecords } from "../records.js";
import type { Aggregate, HistoryQuery, HostRecord, ResultFilter, SeriesHistory } from "../store.js";
import { parseHead } from "./line-protocol.js";
import type { AnsweredSeries, InfluxServer } from "./server.js";

/** When batches of a host were last received: what no sample of an agent tells. */
export const deliveryMeasurement = "fleetmark_delivery";

const aggregateInfluxql: Readonly<Record<Aggregate, (field: string) => string>> = {
  mean: (field) => `mean(${field})`,
  min: (field) => `min(${field})`,
  max: (field) => `max(${field})`,
  last: (field) => `last(${field})`,
  p50: (field) => `median(${field})`,
  p95: (field) => `percentile(${field}, 95)`,
  count: (field) => `count(${field})`,
};

function quoteName(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&")}"`;
}

function quoteText(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n")}'`;
}

/** Returns a WHERE clause of conditions, or nothing without any. */
function where(tags: Readonly<Record<string, string | undefined>>, more: readonly string[] = []): string {
  const conditions = Object.entries(tags).flatMap(([key, value]) =>
    value === undefined ? [] : [`${quoteName(key)} = ${quoteText(value)}`],
  );
  const all = [...more, ...conditions];
  return all.length === 0 ? "" : ` WHERE ${all.join(" AND ")}`;
}

/** Tags of an answer; those that its series lacks come as empty texts. */
function readTags(series: AnsweredSeries): Record<string, string> {
  return JSON.parse(canonicalTags(series.tags ?? {}));
}

/** Reads every row as a point; what is null is a field that the point lacks. The newest first. */
function readPoints(answers: readonly AnsweredSeries[]): Point[] {
  const points = answers.flatMap((series) => {
    const tags = readTags(series);
    return series.values.map((row): Point => {
      const fields: Record<string, number | string> = {};
      series.columns.forEach((column, i) => {
        const value = row[i];
        if (i > 0 && (typeof value === "number" || typeof value === "string")) fields[column] = value;
      });
      return { measurement: series.name, tags, timeUs: Number(row[0]), fields };
    });
  });
  return points.sort((a, b) => b.timeUs - a.timeUs);
}

/** Lists the fields of a measurement, or of all, that hold numbers or texts. */
async function listFields(
  server: InfluxServer,
  measurement?: string,
): Promise<{ measurement: string; field: string; type: string }[]> {
  const answers = await server.query(`SHOW FIELD KEYS${measurement === undefined ? "" : ` FROM ${quoteName(measurement)}`}`);
  return answers.flatMap(({ name, values }) =>
    values.map(([field, type]) => ({ measurement: name, field: String(field), type: String(type) })),
  );
}

/** @throws FleetmarkError REQUEST_INVALID when the answer holds more than maxPoints */
export async function readHistory(server: InfluxServer, query: HistoryQuery): Promise<SeriesHistory[]> {
  const fields = await listFields(server, query.measurement);
  if (!fields.some(({ field, type }) => field === query.field && type !== "string")) return [];
  const range = [`time >= ${query.fromUs}u`, `time < ${query.toUs}u`];
  const answers = await server.query(
    `SELECT ${aggregateInfluxql[query.aggregate](quoteName(query.field))} FROM ${quoteName(query.measurement)}${where(query.tags, range)} GROUP BY *, time(${query.bucketUs}u) fill(none)`,
  );
  const found = answers.reduce((sum, { values }) => sum + values.length, 0);
  if (found > query.maxPoints) {
    throw new FleetmarkError(
      "REQUEST_INVALID",
      `the answer holds over ${query.maxPoints} points; ask for fewer series or wider buckets`,
    );
  }
  return answers.map((series) => ({
    tags: readTags(series),
    points: series.values.map(([timeUs, value]) => [Number(timeUs), Number(value)] as const),
  }));
}

export async function readLatestResults(server: InfluxServer, filter: ResultFilter): Promise<Result[]> {
  const { host, suite, category, benchmark } = filter;
  const answers = await server.query(
    `SELECT * FROM "benchmark"${where({ host, suite, category, benchmark })} GROUP BY * ORDER BY time DESC LIMIT 1`,
  );
  const latest = new Map<string, Point>();
  for (const point of readPoints(answers)) {
    const key = identifyBenchmark(point.tags);
    if (!latest.has(key)) latest.set(key, point);
  }
  return readRecords([...latest.values()], pointToResult);
}

export async function readResultsOfRun(server: InfluxServer, run: string): Promise<Result[]> {
  const answers = await server.query(`SELECT * FROM "benchmark" WHERE "run" = ${quoteText(run)} GROUP BY *`);
  return readRecords(readPoints(answers), pointToResult);
}

export async function readRuns(server: InfluxServer, { host, limit }: { host?: string; limit: number }): Promise<Run[]> {
  const answers = await server.query(`SELECT * FROM "run"${where({ host })} GROUP BY * ORDER BY time DESC LIMIT ${limit}`);
  return readRecords(readPoints(answers).slice(0, limit), pointToRun);
}

export async function readHosts(server: InfluxServer): Promise<HostRecord[]> {
  const introductions = await server.query(
    `SELECT "version", "hardware_class", "inventory" FROM "agent" GROUP BY * ORDER BY time DESC LIMIT 1`,
  );
  const deliveries = await server.query(`SELECT last("received_us") FROM ${quoteName(deliveryMeasurement)} GROUP BY "host"`);
  const lastSeen = new Map(deliveries.map((series) => [series.tags?.host ?? "", Number(series.values[0]?.[1] ?? 0)]));
  return buildHostRecords(readPoints(introductions), lastSeen);
}

/**
 * Lists series. The server tells the tag sets and the fields of each measurement, not which field goes with which tag set: where points of
 * one measurement differ in their fields, combinations are listed that no sample has.
 */
export async function listSeries(server: InfluxServer, measurement?: string): Promise<Series[]> {
  const fields = await listFields(server, measurement);
  const keys = await server.query(`SHOW SERIES${measurement === undefined ? "" : ` FROM ${quoteName(measurement)}`}`);
  return keys
    .flatMap(({ values }) => values.map(([key]) => parseHead(String(key))))
    .filter((head) => head.measurement !== deliveryMeasurement)
    .flatMap((head) => fields.filter((each) => each.measurement === head.measurement).map(({ field }) => ({ ...head, field })));
}

import { pointToResult, pointToRun, type Result, type Run } from "@fleetmark/shared/model/result";
import { canonicalTags, type Point, type Series, seriesKey } from "@fleetmark/shared/model/series";
import { checkPoints, joinHistories, readFinalHours, readHistoryAcross } from "../history.js";
import { buildHostRecords, identifyBenchmark, readRecords, sortNewestFirst, sortSeries } from "../ordering.js";
import { deliveryMeasurement, hourlyFields, hourUs, isRecord } from "../retention.js";
import type { Aggregate, HistoryQuery, HostRecord, ResultFilter, RunFilter, SeriesHistory } from "../store.js";
import { type Place, quoteName, quoteSource, quoteText } from "./rollup.js";
import type { AnsweredSeries, InfluxServer } from "./server.js";

const aggregateInfluxql: Readonly<Record<Aggregate, (field: string) => string>> = {
  mean: (field) => `mean(${field})`,
  min: (field) => `min(${field})`,
  max: (field) => `max(${field})`,
  last: (field) => `last(${field})`,
  p50: (field) => `median(${field})`,
  p95: (field) => `percentile(${field}, 95)`,
  count: (field) => `count(${field})`,
};

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
  return sortNewestFirst(points);
}

/** Where records are kept: in a place of their own once there is one, else in the default one. */
async function placeOfRecords(server: InfluxServer): Promise<Place | undefined> {
  return (await server.hasPlace("records")) ? "records" : undefined;
}

function toHistories(answers: readonly AnsweredSeries[], query: HistoryQuery): SeriesHistory[] {
  const histories = answers.map((series) => ({
    tags: readTags(series),
    // A text has a last value too.
    points: series.values.flatMap(([timeUs, value]) => (typeof value === "number" ? [[Number(timeUs), value] as const] : [])),
  }));
  checkPoints(
    histories.reduce((sum, { points }) => sum + points.length, 0),
    query,
  );
  return histories.filter(({ points }) => points.length > 0);
}

function rangeOf({ fromUs, toUs }: HistoryQuery): string[] {
  return [`time >= ${fromUs}u`, `time < ${toUs}u`];
}

/** Asks one point more than the query allows, so that an answer of too many is known without reading them all. */
function grouping({ bucketUs, maxPoints }: HistoryQuery): string {
  return `GROUP BY *, time(${bucketUs}u) fill(none) LIMIT ${maxPoints + 1}`;
}

async function readSamples(server: InfluxServer, query: HistoryQuery, place: Place | undefined): Promise<SeriesHistory[]> {
  const source = quoteSource(query.measurement, place);
  const types = await server.query(`SHOW FIELD KEYS FROM ${source}`);
  if (!types.some(({ values }) => values.some(([field, type]) => field === query.field && type !== "string"))) return [];
  const selected = aggregateInfluxql[query.aggregate](quoteName(query.field));
  const answers = await Promise.all(
    cutRange(query).map((range) =>
      server.query(`SELECT ${selected} FROM ${source}${where(query.tags, rangeOf(range))} ${grouping(query)}`),
    ),
  );
  return joinHistories(answers.map((answer) => toHistories(answer, query)));
}

/** Queries at the same time for one percentile: the server takes a microsecond a sample for it, on one core each. */
const slices = 4;
const slicedFromUs = 24 * hourUs;

/** Cuts a long range for a percentile between buckets. */
function cutRange(query: HistoryQuery): HistoryQuery[] {
  const { fromUs, toUs, bucketUs, aggregate } = query;
  if ((aggregate !== "p50" && aggregate !== "p95") || toUs - fromUs < slicedFromUs) return [query];
  const stepUs = Math.ceil((toUs - fromUs) / slices / bucketUs) * bucketUs;
  const cuts: HistoryQuery[] = [];
  for (let start = fromUs; start < toUs; ) {
    const end = Math.min(toUs, Math.floor((start + stepUs) / bucketUs) * bucketUs);
    cuts.push({ ...query, fromUs: start, toUs: end });
    start = end;
  }
  return cuts;
}

/** Combines hours: a mean weighs each by its samples, a count adds them up, and the others are found among their own kind. */
async function readHours(server: InfluxServer, query: HistoryQuery): Promise<SeriesHistory[]> {
  const source = quoteSource(query.measurement, "hourly");
  const condition = where(query.tags, rangeOf(query));
  const field = (aggregate: Aggregate): string => quoteName(hourlyFields[aggregate] + query.field);
  const { aggregate } = query;
  if (aggregate === "mean") {
    const weighed = `SELECT ${field("mean")} * ${field("count")} AS w, ${field("count")} AS n FROM ${source}${condition} GROUP BY *`;
    const outer = where({}, rangeOf(query));
    return toHistories(await server.query(`SELECT sum(w) / sum(n) FROM (${weighed})${outer} ${grouping(query)}`), query);
  }
  const selected = aggregate === "count" ? `sum(${field("count")})` : aggregateInfluxql[aggregate](field(aggregate));
  return toHistories(await server.query(`SELECT ${selected} FROM ${source}${condition} ${grouping(query)}`), query);
}

/** Returns the end of the last hour that is rolled up of the query's series: where the server's nights have stopped, hours are not to be read on. */
async function findRolledUpTo(server: InfluxServer, { measurement, field, tags }: HistoryQuery): Promise<number> {
  const last = `last(${quoteName(hourlyFields.count + field)})`;
  const [found] = await server.query(`SELECT ${last} FROM ${quoteSource(measurement, "hourly")}${where(tags)}`);
  const timeUs = found?.values[0]?.[0];
  return timeUs === undefined ? 0 : Number(timeUs) + hourUs;
}

/**
 * @param horizonUs a full hour before which telemetry is read rolled up, if the server does so
 * @param finalUs a full hour before which hours are final: the nightly roll-up looks back on them no more
 * @throws FleetmarkError REQUEST_INVALID when the answer holds more than maxPoints
 */
export async function readHistory(
  server: InfluxServer,
  query: HistoryQuery,
  { horizonUs, finalUs }: { readonly horizonUs: number; readonly finalUs: number },
): Promise<SeriesHistory[]> {
  if (isRecord(query.measurement)) return readSamples(server, query, await placeOfRecords(server));
  const isRolledUp = query.fromUs < Math.max(horizonUs, finalUs) && (await server.hasPlace("hourly"));
  const readyUs = isRolledUp && query.fromUs < finalUs ? Math.min(finalUs, await findRolledUpTo(server, query)) : 0;
  const hours = (asked: HistoryQuery): Promise<SeriesHistory[]> => readHours(server, asked);
  const samples = (asked: HistoryQuery): Promise<SeriesHistory[]> => readSamples(server, asked, undefined);
  const sources = {
    samples: isRolledUp ? (asked: HistoryQuery) => readFinalHours({ samples, hours }, asked, readyUs) : samples,
    hours,
  };
  return readHistoryAcross(sources, query, isRolledUp ? horizonUs : 0);
}

export async function readLatestResults(server: InfluxServer, filter: ResultFilter): Promise<Result[]> {
  const { host, suite, category, benchmark } = filter;
  const source = quoteSource("benchmark", await placeOfRecords(server));
  const answers = await server.query(
    `SELECT * FROM ${source}${where({ host, suite, category, benchmark })} GROUP BY * ORDER BY time DESC LIMIT 1`,
  );
  const latest = new Map<string, Point>();
  for (const point of readPoints(answers)) {
    const key = identifyBenchmark(point.tags);
    if (!latest.has(key)) latest.set(key, point);
  }
  return readRecords([...latest.values()], pointToResult);
}

/** How far from its run's own time a result may be stamped: clocks are set. */
const clockSlackUs = 24 * hourUs;

/** Run ids are fields, which InfluxDB does not index: the run, if it has ended, tells where in time its results are. */
async function findTimeOfRun(server: InfluxServer, run: string): Promise<string[]> {
  const source = quoteSource("run", await placeOfRecords(server));
  const answers = await server.query(`SELECT "started_us" FROM ${source} WHERE "run" = ${quoteText(run)}`);
  const rows = answers.flatMap(({ values }) => values);
  if (rows.length === 0) return [];
  const started = Math.min(...rows.map(([timeUs, startedUs]) => Math.min(Number(timeUs), Number(startedUs))));
  const ended = Math.max(...rows.map(([timeUs]) => Number(timeUs)));
  return [`time >= ${started - clockSlackUs}u`, `time <= ${ended + clockSlackUs}u`];
}

export async function readResultsOfRun(server: InfluxServer, run: string): Promise<Result[]> {
  const source = quoteSource("benchmark", await placeOfRecords(server));
  const condition = where({}, [`"run" = ${quoteText(run)}`, ...(await findTimeOfRun(server, run))]);
  const answers = await server.query(`SELECT * FROM ${source}${condition} GROUP BY *`);
  return readRecords(readPoints(answers), pointToResult);
}

export async function readRuns(server: InfluxServer, { host, limit, beforeUs }: RunFilter): Promise<Run[]> {
  const source = quoteSource("run", await placeOfRecords(server));
  const condition = where({ host }, beforeUs === undefined ? [] : [`time < ${beforeUs}u`]);
  const answers = await server.query(`SELECT * FROM ${source}${condition} GROUP BY * ORDER BY time DESC LIMIT ${limit}`);
  return readRecords(readPoints(answers).slice(0, limit), pointToRun);
}

export async function readHosts(server: InfluxServer): Promise<HostRecord[]> {
  const place = await placeOfRecords(server);
  const agent = quoteSource("agent", place);
  const introductions = await server.query(
    `SELECT "version", "hardware_class", "inventory" FROM ${agent} GROUP BY * ORDER BY time DESC LIMIT 1`,
  );
  const delivery = quoteSource(deliveryMeasurement, place);
  const deliveries = await server.query(`SELECT max("received_us") FROM ${delivery} GROUP BY "host"`);
  const lastSeen = new Map(deliveries.map((series) => [series.tags?.host ?? "", Number(series.values[0]?.[1] ?? 0)]));
  return buildHostRecords(readPoints(introductions), lastSeen);
}

/** Returns the series of a measurement in a place: `last(*)` answers, for each tag set, a column for each field that it has. */
async function listSeriesOf(server: InfluxServer, measurement: string, place: Place | undefined): Promise<Series[]> {
  // A record is whole: its last point has every field, and is found in a tenth of the time.
  const selected = isRecord(measurement) ? ["*", " ORDER BY time DESC LIMIT 1"] : ["last(*)", ""];
  const prefix = isRecord(measurement) ? "" : place === "hourly" ? `last_${hourlyFields.last}` : "last_";
  const answers = await server.query(`SELECT ${selected[0]} FROM ${quoteSource(measurement, place)} GROUP BY *${selected[1]}`);
  return answers.flatMap((series) => {
    const tags = readTags(series);
    return series.columns.flatMap((column, i) =>
      i > 0 && column.startsWith(prefix) && series.values.some((row) => row[i] !== null)
        ? [{ measurement, tags, field: column.slice(prefix.length) }]
        : [],
    );
  });
}

/** Lists series, also those that only hours are left of. */
export async function listSeries(server: InfluxServer, measurement?: string): Promise<Series[]> {
  const names =
    measurement === undefined
      ? (await server.query("SHOW MEASUREMENTS")).flatMap(({ values }) => values.map(([name]) => String(name)))
      : [measurement];
  const [ofRecords, hasHours] = [await placeOfRecords(server), await server.hasPlace("hourly")];
  const found = new Map<string, Series>();
  for (const name of names.filter((each) => each !== deliveryMeasurement)) {
    const own = isRecord(name) ? [ofRecords] : hasHours ? [undefined, "hourly" as const] : [undefined];
    for (const place of own) {
      for (const series of await listSeriesOf(server, name, place)) found.set(seriesKey(series), series);
    }
  }
  return sortSeries([...found.values()]);
}

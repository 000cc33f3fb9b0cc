import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import { isRecord } from "@fleetmark/shared/records/registry";
import { checkPoints, joinHistories, readFinalHours, readHistoryAcross } from "../history.js";
import { hourlyFields, hourUs } from "../retention.js";
import type { HistoryQuery, SeriesHistory } from "../store.js";
import { findRecordsPolicy, readTags, where } from "./answers.js";
import { readMark } from "./hour-roll-up.js";
import type { InfluxServer } from "./server/connection.js";
import { type PolicyName, quoteName, quoteSource } from "./server/policies.js";
import type { AnsweredSeries } from "./server/queries.js";

const aggregateInfluxql: Readonly<Record<Aggregate, (field: string) => string>> = {
  mean: (field) => `mean(${field})`,
  min: (field) => `min(${field})`,
  max: (field) => `max(${field})`,
  last: (field) => `last(${field})`,
  p50: (field) => `median(${field})`,
  p95: (field) => `percentile(${field}, 95)`,
  count: (field) => `count(${field})`,
};

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

async function readSamples(server: InfluxServer, query: HistoryQuery, policy: PolicyName | undefined): Promise<SeriesHistory[]> {
  const source = quoteSource(query.measurement, policy);
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

/**
 * Combines hours: a mean weighs each by its samples, a count adds them up, and the others are found among their own
 * kind.
 */
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

/**
 * Returns the end of the last hour that is rolled up of the query's series: where the server's nights have stopped,
 * hours are not to be read on.
 */
async function findRolledUpTo(server: InfluxServer, { measurement, field, tags }: HistoryQuery): Promise<number> {
  const last = `last(${quoteName(hourlyFields.count + field)})`;
  const [found] = await server.query(`SELECT ${last} FROM ${quoteSource(measurement, "hourly")}${where(tags)}`);
  const timeUs = found?.values[0]?.[0];
  const rolledUpTo = timeUs === undefined ? 0 : Number(timeUs) + hourUs;
  // Where hours are rolled up from here, one that came late may be there while those before it are not.
  return (await server.identify()) === "2" ? Math.min(rolledUpTo, (await readMark(server)) ?? 0) : rolledUpTo;
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
  if (isRecord(query.measurement)) return readSamples(server, query, await findRecordsPolicy(server));
  const isRolledUp = query.fromUs < Math.max(horizonUs, finalUs) && (await server.hasPolicy("hourly"));
  const readyUs = isRolledUp && query.fromUs < finalUs ? Math.min(finalUs, await findRolledUpTo(server, query)) : 0;
  const hours = (asked: HistoryQuery): Promise<SeriesHistory[]> => readHours(server, asked);
  const samples = (asked: HistoryQuery): Promise<SeriesHistory[]> => readSamples(server, asked, undefined);
  const sources = {
    samples: isRolledUp ? (asked: HistoryQuery) => readFinalHours({ samples, hours }, asked, readyUs) : samples,
    hours,
  };
  return readHistoryAcross(sources, query, isRolledUp ? horizonUs : 0);
}

import { BIGINT, type DuckDBConnection, DuckDBListType, DuckDBListValue, type DuckDBValue, INTEGER } from "@duckdb/node-api";
import type { Point } from "@fleetmark/shared/model/series";
import { checkPoints, readHistoryAcross } from "../history.js";
import { sortNewestFirst } from "../ordering.js";
import { isKeptWhole } from "../retention.js";
import type { Aggregate, HistoryQuery, RunFilter, SeriesHistory } from "../store.js";
import { findSeries, type SeriesIndex, type StoredSeries } from "./series-index.js";

/** A moment of a point: the tags of its series and its time. */
export interface Moment {
  readonly tagsText: string;
  readonly timeUs: number;
}

const aggregateSql: Readonly<Record<Aggregate, string>> = {
  mean: "avg(value)",
  min: "min(value)",
  max: "max(value)",
  last: "arg_max(value, time_us)",
  p50: "quantile_cont(value, 0.5)",
  // Nearest rank, as InfluxQL's percentile() counts it, so that both stores answer alike.
  p95: "list_sort(list(value))[greatest(1, CAST(floor(count(*) * 0.95 + 0.5) AS INTEGER))]",
  count: "CAST(count(*) AS DOUBLE)",
};

const listTypes = { ids: new DuckDBListType(INTEGER), times: new DuckDBListType(BIGINT) };

/** Runs a query whose parameters are numbers, texts, and the lists `ids` and `times`. */
async function readRows(connection: DuckDBConnection, sql: string, values: Record<string, DuckDBValue>): Promise<unknown[][]> {
  const types = Object.fromEntries(Object.entries(listTypes).filter(([name]) => name in values));
  return (await connection.runAndReadAll(sql, values, types)).getRowsJS();
}

function listIds(series: readonly StoredSeries[]): DuckDBListValue {
  return new DuckDBListValue(series.map(({ id }) => id));
}

/** What becomes of hours in a wider bucket: a mean weighs each by its samples, a count adds them up, the others are found among their kind. */
const aggregateHoursSql: Readonly<Record<Aggregate, string>> = {
  mean: "sum(mean * samples) / sum(samples)",
  min: "min(min)",
  max: "max(max)",
  last: "arg_max(last, time_us)",
  p50: "quantile_cont(p50, 0.5)",
  p95: "list_sort(list(p95))[greatest(1, CAST(floor(count(*) * 0.95 + 0.5) AS INTEGER))]",
  count: "sum(samples)",
};

/** Reads the history of every series that the query names, in the order of their ids, from samples or from hours. */
async function readBuckets(
  connection: DuckDBConnection,
  index: SeriesIndex,
  query: HistoryQuery,
  table: "numbers" | "hours",
): Promise<SeriesHistory[]> {
  const series = findSeries(index, query.measurement, query.field, query.tags);
  if (series.length === 0) return [];
  const rows = await readRows(
    connection,
    `SELECT series_id, (time_us // $bucket) * $bucket AS bucket_us, ${(table === "numbers" ? aggregateSql : aggregateHoursSql)[query.aggregate]}
     FROM ${table}
     WHERE series_id IN (SELECT unnest($ids)) AND time_us >= $from AND time_us < $to
     GROUP BY series_id, bucket_us ORDER BY series_id, bucket_us LIMIT $limit`,
    {
      ids: listIds(series),
      bucket: BigInt(query.bucketUs),
      from: BigInt(query.fromUs),
      to: BigInt(query.toUs),
      limit: BigInt(query.maxPoints + 1),
    },
  );
  checkPoints(rows.length, query);
  const histories = new Map<number, SeriesHistory>();
  for (const [id, timeUs, value] of rows) {
    const stored = index.byId[id as number] as StoredSeries;
    const history = histories.get(stored.id) ?? { tags: stored.tags, points: [] };
    history.points.push([Number(timeUs), value as number]);
    histories.set(stored.id, history);
  }
  return [...histories.values()];
}

/**
 * Reads the history of every series that the query names, from hours where samples are gone.
 * @param version of the file's tables
 */
export async function readHistory(
  connection: DuckDBConnection,
  index: SeriesIndex,
  query: HistoryQuery,
  version: number,
): Promise<SeriesHistory[]> {
  if (version < 2 || isKeptWhole(query, "numbers")) return readBuckets(connection, index, query, "numbers");
  // One snapshot: a roll-up under way moves samples to hours.
  await connection.run("BEGIN TRANSACTION READ ONLY");
  try {
    const [[horizon]] = (await connection.runAndReadAll("SELECT max(time_us) FROM horizon")).getRowsJS();
    const sources = {
      samples: (asked: HistoryQuery) => readBuckets(connection, index, asked, "numbers"),
      hours: (asked: HistoryQuery) => readBuckets(connection, index, asked, "hours"),
    };
    return await readHistoryAcross(sources, query, Number(horizon));
  } finally {
    await connection.run("ROLLBACK").catch(() => {});
  }
}

function toMoments(index: SeriesIndex, rows: readonly unknown[][]): Moment[] {
  return rows.map(([id, timeUs]) => ({
    tagsText: (index.byId[id as number] as StoredSeries).tagsText,
    timeUs: Number(timeUs),
  }));
}

/** Returns the latest moment of each of the series; of all tables, the one that holds the field's samples is named. */
export async function readLatestMoments(
  connection: DuckDBConnection,
  index: SeriesIndex,
  table: "numbers" | "texts",
  series: readonly StoredSeries[],
): Promise<Moment[]> {
  if (series.length === 0) return [];
  const sql = `SELECT series_id, max(time_us) FROM ${table} WHERE series_id IN (SELECT unnest($ids)) GROUP BY series_id`;
  return toMoments(index, await readRows(connection, sql, { ids: listIds(series) }));
}

/** Returns the greatest value of each of the series. */
export async function readGreatestValues(
  connection: DuckDBConnection,
  series: readonly StoredSeries[],
): Promise<Map<number, number>> {
  if (series.length === 0) return new Map();
  const sql = "SELECT series_id, max(value) FROM numbers WHERE series_id IN (SELECT unnest($ids)) GROUP BY series_id";
  return new Map((await readRows(connection, sql, { ids: listIds(series) })) as [number, number][]);
}

/** Returns the moments at which one of the series held the text. */
export async function readMomentsOfText(
  connection: DuckDBConnection,
  index: SeriesIndex,
  series: readonly StoredSeries[],
  text: string,
): Promise<Moment[]> {
  if (series.length === 0) return [];
  const sql = "SELECT DISTINCT series_id, time_us FROM texts WHERE series_id IN (SELECT unnest($ids)) AND value = $text";
  return toMoments(index, await readRows(connection, sql, { ids: listIds(series), text }));
}

/** Returns the newest moments of the series, the newest first. */
export async function readNewestMoments(
  connection: DuckDBConnection,
  index: SeriesIndex,
  series: readonly StoredSeries[],
  { limit, beforeUs = Number.MAX_SAFE_INTEGER }: Pick<RunFilter, "limit" | "beforeUs">,
): Promise<Moment[]> {
  if (series.length === 0) return [];
  const sql = `SELECT DISTINCT series_id, time_us FROM texts WHERE series_id IN (SELECT unnest($ids)) AND time_us < $before
    ORDER BY time_us DESC, series_id LIMIT $limit`;
  return toMoments(
    index,
    await readRows(connection, sql, { ids: listIds(series), limit: BigInt(limit), before: BigInt(beforeUs) }),
  );
}

/** Reads points whole, newest first: all fields of a measurement that share tags and time. */
export async function readPoints(
  connection: DuckDBConnection,
  index: SeriesIndex,
  measurement: string,
  moments: readonly Moment[],
): Promise<Point[]> {
  if (moments.length === 0) return [];
  const idsOfTags = new Map<string, number[]>();
  for (const { tagsText } of moments) idsOfTags.set(tagsText, []);
  for (const { tagsText, id } of index.byMeasurement.get(measurement) ?? []) idsOfTags.get(tagsText)?.push(id);
  const wanted = moments.flatMap(({ tagsText, timeUs }) => (idsOfTags.get(tagsText) as number[]).map((id) => ({ id, timeUs })));
  const values = {
    ids: new DuckDBListValue(wanted.map(({ id }) => id)),
    times: new DuckDBListValue(wanted.map(({ timeUs }) => BigInt(timeUs))),
  };
  const points = new Map<string, Point & { readonly fields: Record<string, number | string> }>();
  for (const table of ["numbers", "texts"]) {
    const rows = await readRows(
      connection,
      `SELECT series_id, time_us, value
       FROM ${table} JOIN (SELECT unnest($ids) AS series_id, unnest($times) AS time_us) USING (series_id, time_us)`,
      values,
    );
    for (const [id, time, value] of rows) {
      const { tags, tagsText, field } = index.byId[id as number] as StoredSeries;
      const timeUs = Number(time);
      const key = `${timeUs} ${tagsText}`;
      const point = points.get(key) ?? { measurement, tags, timeUs, fields: {} };
      point.fields[field] = value as number | string;
      points.set(key, point);
    }
  }
  return sortNewestFirst([...points.values()]);
}

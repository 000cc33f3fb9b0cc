import type { DuckDBConnection } from "@duckdb/node-api";
import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import { checkPoints, readHistoryAcross } from "../history.js";
import { isKeptWhole } from "../retention.js";
import type { HistoryQuery, SeriesHistory } from "../store.js";
import { listIds, readRows } from "./query.js";
import { findSeries, type SeriesIndex, type StoredSeries } from "./series-index.js";

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

/**
 * What becomes of hours in a wider bucket: a mean weighs each by its samples, a count adds them up, the others are
 * found among their kind.
 */
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

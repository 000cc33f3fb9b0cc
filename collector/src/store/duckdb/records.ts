import { type DuckDBConnection, DuckDBListValue } from "@duckdb/node-api";
import type { Point } from "@fleetmark/shared/model/series";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { sortNewestFirst } from "../ordering.js";
import { decodeRecords, identify } from "../records.js";
import { deliveryMeasurement } from "../retention.js";
import type { NewestFilter, TagFilter } from "../store.js";
import { selectRanges } from "./batches/batch-table.js";
import { listIds, readRows } from "./query.js";
import { findSeries, type SeriesIndex, type StoredSeries } from "./series-index.js";

/**
 * Questions about records of any kind. Each finds the moments of its records in one field of text, which no record
 * lacks, and then reads the points of those moments whole.
 */

/** A moment of a point: the tags of its series and its time. */
interface Moment {
  readonly tagsText: string;
  readonly timeUs: number;
}

function toMoments(index: SeriesIndex, rows: readonly unknown[][]): Moment[] {
  return rows.map(([id, timeUs]) => ({
    tagsText: (index.byId[id as number] as StoredSeries).tagsText,
    timeUs: Number(timeUs),
  }));
}

/** Returns the latest moment of each of the series of texts. */
async function readLatestMoments(
  connection: DuckDBConnection,
  index: SeriesIndex,
  series: readonly StoredSeries[],
): Promise<Moment[]> {
  if (series.length === 0) return [];
  const sql = `SELECT series_id, max(time_us) FROM texts WHERE series_id IN (SELECT unnest($ids)) GROUP BY series_id`;
  return toMoments(index, await readRows(connection, sql, { ids: listIds(series) }));
}

/** Returns the greatest value of each of the series. */
async function readGreatestValues(connection: DuckDBConnection, series: readonly StoredSeries[]): Promise<Map<number, number>> {
  if (series.length === 0) return new Map();
  const sql = "SELECT series_id, max(value) FROM numbers WHERE series_id IN (SELECT unnest($ids)) GROUP BY series_id";
  return new Map((await readRows(connection, sql, { ids: listIds(series) })) as [number, number][]);
}

/** Returns the moments at which one of the series held the text. */
async function readMomentsOfText(
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
async function readNewestMoments(
  connection: DuckDBConnection,
  index: SeriesIndex,
  series: readonly StoredSeries[],
  { limit, beforeUs = Number.MAX_SAFE_INTEGER }: Omit<NewestFilter, "tags">,
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
async function readPoints(
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

async function readMoments<R>(
  connection: DuckDBConnection,
  index: SeriesIndex,
  kind: RecordKind<R>,
  moments: readonly Moment[],
): Promise<R[]> {
  return decodeRecords(kind, await readPoints(connection, index, kind.measurement, moments));
}

export async function readLatest<R>(
  connection: DuckDBConnection,
  index: SeriesIndex,
  kind: RecordKind<R>,
  tags: TagFilter,
): Promise<R[]> {
  const series = findSeries(index, kind.measurement, kind.textField, tags);
  const latest = new Map<string, Moment>();
  for (const moment of await readLatestMoments(connection, index, series)) {
    const key = identify(kind, JSON.parse(moment.tagsText));
    if ((latest.get(key)?.timeUs ?? -1) < moment.timeUs) latest.set(key, moment);
  }
  return readMoments(connection, index, kind, [...latest.values()]);
}

export async function findByText<R>(
  connection: DuckDBConnection,
  index: SeriesIndex,
  kind: RecordKind<R>,
  field: string,
  text: string,
): Promise<R[]> {
  const moments = await readMomentsOfText(connection, index, findSeries(index, kind.measurement, field, {}), text);
  const points = await readPoints(connection, index, kind.measurement, moments);
  // Where a moment was written several times, its point is the last one, which may hold another text.
  const found = points.filter(({ fields }) => fields[field] === text);
  return decodeRecords(kind, found);
}

export async function readNewest<R>(
  connection: DuckDBConnection,
  index: SeriesIndex,
  kind: RecordKind<R>,
  filter: NewestFilter,
): Promise<R[]> {
  const series = findSeries(index, kind.measurement, kind.textField, filter.tags);
  return readMoments(connection, index, kind, await readNewestMoments(connection, index, series, filter));
}

/**
 * Returns when a batch of each host was last received: by this store, or by another one from which its data was
 * brought here.
 * @param version of the file's tables
 */
export async function readReceived(
  connection: DuckDBConnection,
  index: SeriesIndex,
  version: number,
): Promise<Map<string, number>> {
  const rows = await readRows(connection, `SELECT host, max(received_us) FROM (${selectRanges(version)}) GROUP BY host`);
  const received = new Map(rows.map(([host, timeUs]) => [host as string, Number(timeUs)]));
  const brought = findSeries(index, deliveryMeasurement, "received_us", {});
  const greatest = await readGreatestValues(connection, brought);
  for (const { id, tags } of brought) {
    received.set(tags.host, Math.max(greatest.get(id) ?? 0, received.get(tags.host) ?? 0));
  }
  return received;
}

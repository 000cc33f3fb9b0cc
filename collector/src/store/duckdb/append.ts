import {
  BIGINT,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  VARCHAR,
} from "@duckdb/node-api";
import type { Batch, Columns } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import type { Samples } from "../store.js";
import { createSeriesFinder, type SeriesIndex, type StoredSeries } from "./series-index.js";

/** Laying samples into the engine's chunks of rows, and those into its tables. */

/** The most rows that one chunk of the engine holds. */
const chunkRows = 2048;

/** Samples as rows: the numbers of their series, times, values. */
export interface Rows {
  readonly numbers: [ids: number[], times: bigint[], values: number[]];
  readonly texts: [ids: number[], times: bigint[], values: string[]];
  readonly added: StoredSeries[];
}

export interface Identified {
  /** For each batch, the numbers of the series of its dictionary. */
  readonly ids: Int32Array[];
  /** Series that are new. */
  readonly added: StoredSeries[];
}

/** Finds the numbers of all series, and numbers those that are new. */
export function identifySeries(index: SeriesIndex, batches: readonly Samples[]): Identified {
  const finder = createSeriesFinder(index);
  const added: StoredSeries[] = [];
  const firstNew = index.byId.length;
  const identify = (series: Series): number => {
    const found = finder.find(series);
    if (found !== undefined) return found.id;
    const numbered = finder.add(firstNew + added.length, series);
    added.push(numbered);
    return numbered.id;
  };
  const ids = batches.map(({ series }) => {
    const known = index.byDictionary.get(series);
    if (known !== undefined) return known;
    const found = Int32Array.from(series, identify);
    // New numbers hold only once they are committed.
    if (found.every((id) => id < firstNew)) index.byDictionary.set(series, found);
    return found;
  });
  return { ids, added };
}

/** Turns samples into rows, numbering the series that are new. */
export function collectRows(index: SeriesIndex, samples: Samples): Rows {
  const { ids, added } = identifySeries(index, [samples]);
  const rows: Rows = { numbers: [[], [], []], texts: [[], [], []], added };
  addColumns(ids[0], samples.numbers, rows.numbers);
  addColumns(ids[0], samples.texts, rows.texts);
  return rows;
}

function addColumns<V>(ids: Int32Array, columns: Columns<V>, into: [number[], bigint[], V[]]): void {
  for (let i = 0; i < columns.series.length; i++) {
    into[0].push(ids[columns.series[i]]);
    into[1].push(BigInt(columns.timeUs[i]));
    into[2].push(columns.values[i]);
  }
}

/** Appends so many rows to a table, in chunks that `fill` fills one after the other. */
async function appendChunks(
  connection: DuckDBConnection,
  table: string,
  types: DuckDBType[],
  count: number,
  fill: (chunk: DuckDBDataChunk, rows: number) => void,
): Promise<void> {
  if (count === 0) return;
  const appender = await connection.createAppender(table);
  try {
    for (let start = 0; start < count; start += chunkRows) {
      const rows = Math.min(chunkRows, count - start);
      const chunk = DuckDBDataChunk.create(types, rows);
      fill(chunk, rows);
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
  } catch (thrown) {
    appender.clear();
    throw thrown;
  } finally {
    appender.closeSync();
  }
}

export function appendRows(
  connection: DuckDBConnection,
  table: string,
  types: DuckDBType[],
  columns: DuckDBValue[][],
): Promise<void> {
  let start = 0;
  return appendChunks(connection, table, types, columns[0].length, (chunk, rows) => {
    chunk.setColumns(columns.map((column) => column.slice(start, start + rows)));
    start += rows;
  });
}

/**
 * Sets a column from a typed array. The library (1.5.5) has no door for it: it takes values one by one and lays them
 * into a typed array of its own, which is filled at once here where it is there.
 */
function setVector(chunk: DuckDBDataChunk, column: number, values: Int32Array | BigInt64Array | Float64Array): void {
  const vector = chunk.getColumnVector(column);
  const items: unknown = Reflect.get(vector, "items");
  if (items instanceof Int32Array && values instanceof Int32Array) items.set(values);
  else if (items instanceof BigInt64Array && values instanceof BigInt64Array) items.set(values);
  else if (items instanceof Float64Array && values instanceof Float64Array) items.set(values);
  else for (let i = 0; i < values.length; i++) vector.setItem(i, values[i]);
  vector.flush();
}

export function appendSeries(connection: DuckDBConnection, added: readonly StoredSeries[]): Promise<void> {
  return appendRows(
    connection,
    "series",
    [INTEGER, VARCHAR, VARCHAR, VARCHAR],
    [added.map((s) => s.id), added.map((s) => s.measurement), added.map((s) => s.field), added.map((s) => s.tagsText)],
  );
}

/**
 * Lays numbers straight into the engine's chunks: as arrays of values, each time a BigInt, they would cost three
 * times as much.
 */
export async function appendNumbers(
  connection: DuckDBConnection,
  batches: readonly Batch[],
  ids: readonly Int32Array[],
): Promise<void> {
  const count = batches.reduce((sum, { numbers }) => sum + numbers.series.length, 0);
  await appendChunks(connection, "numbers", [INTEGER, BIGINT, DOUBLE], count, fillNumbers(batches, ids));
}

/** Returns what fills the next rows of chunk after chunk. */
function fillNumbers(batches: readonly Batch[], ids: readonly Int32Array[]): (chunk: DuckDBDataChunk, rows: number) => void {
  let [batch, sample] = [0, 0];
  return (chunk, rows) => {
    const column = new Int32Array(rows);
    const times = new BigInt64Array(rows);
    const halves = new Int32Array(times.buffer);
    const values = new Float64Array(rows);
    for (let row = 0; row < rows; batch++, sample = 0) {
      const { numbers } = batches[batch];
      const own = ids[batch];
      for (; row < rows && sample < numbers.series.length; row++, sample++) {
        const time = numbers.timeUs[sample];
        column[row] = own[numbers.series[sample]];
        halves[2 * row] = time;
        halves[2 * row + 1] = Math.floor(time / 2 ** 32);
        values[row] = numbers.values[sample];
      }
      if (row === rows && sample < numbers.series.length) break;
    }
    setVector(chunk, 0, column);
    setVector(chunk, 1, times);
    setVector(chunk, 2, values);
  };
}

export async function appendTexts(
  connection: DuckDBConnection,
  batches: readonly Batch[],
  ids: readonly Int32Array[],
): Promise<void> {
  const texts: Rows["texts"] = [[], [], []];
  batches.forEach((batch, i) => {
    addColumns(ids[i], batch.texts, texts);
  });
  await appendRows(connection, "texts", [INTEGER, BIGINT, VARCHAR], texts);
}

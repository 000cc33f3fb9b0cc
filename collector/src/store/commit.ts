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
import type { Batch, Columns } from "@fleetmark/shared/batch";
import { seriesKey } from "@fleetmark/shared/series";
import { addStoredSeries, numberSeries, type SeriesIndex, type StoredSeries } from "./series-index.js";
import type { Samples } from "./store.js";
import { rememberBatch, type StoredBatches, selectNew } from "./stored-batches.js";

/** What the only writer of a data file knows of it. It changes only after a commit. */
export interface WriterState {
  readonly index: SeriesIndex;
  readonly stored: StoredBatches;
}

/** The most rows that one chunk of the engine holds. */
const chunkRows = 2048;

export interface Rows {
  readonly numbers: [ids: number[], times: bigint[], values: number[]];
  readonly texts: [ids: number[], times: bigint[], values: string[]];
  readonly added: StoredSeries[];
}

/** Turns batches into rows, numbering the series that are new. */
export function collectRows(index: SeriesIndex, batches: readonly Samples[]): Rows {
  const rows: Rows = { numbers: [[], [], []], texts: [[], [], []], added: [] };
  const added = new Map<string, number>();
  let nextId = index.byId.size + 1;
  const identify = (series: Samples["series"][number]): number => {
    const key = seriesKey(series);
    let id = index.byKey.get(key)?.id ?? added.get(key);
    if (id === undefined) {
      id = nextId++;
      added.set(key, id);
      rows.added.push(numberSeries(id, series));
    }
    return id;
  };
  const addColumns = <V>(ids: readonly number[], columns: Columns<V>, into: [number[], bigint[], V[]]): void => {
    for (let i = 0; i < columns.series.length; i++) {
      into[0].push(ids[columns.series[i]]);
      into[1].push(BigInt(columns.timeUs[i]));
      into[2].push(columns.values[i]);
    }
  };
  for (const batch of batches) {
    const ids = batch.series.map(identify);
    addColumns(ids, batch.numbers, rows.numbers);
    addColumns(ids, batch.texts, rows.texts);
  }
  return rows;
}

export async function appendRows(
  connection: DuckDBConnection,
  table: string,
  types: DuckDBType[],
  columns: DuckDBValue[][],
): Promise<void> {
  const count = columns[0].length;
  if (count === 0) return;
  const appender = await connection.createAppender(table);
  try {
    for (let start = 0; start < count; start += chunkRows) {
      const chunk = DuckDBDataChunk.create(types, Math.min(chunkRows, count - start));
      chunk.setColumns(columns.map((column) => column.slice(start, start + chunkRows)));
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

export function appendSeries(connection: DuckDBConnection, added: readonly StoredSeries[]): Promise<void> {
  return appendRows(
    connection,
    "series",
    [INTEGER, VARCHAR, VARCHAR, VARCHAR],
    [added.map((s) => s.id), added.map((s) => s.measurement), added.map((s) => s.field), added.map((s) => s.tagsText)],
  );
}

async function appendAll(connection: DuckDBConnection, rows: Rows, batches: readonly Batch[], receivedUs: number): Promise<void> {
  await appendSeries(connection, rows.added);
  await appendRows(connection, "numbers", [INTEGER, BIGINT, DOUBLE], rows.numbers);
  await appendRows(connection, "texts", [INTEGER, BIGINT, VARCHAR], rows.texts);
  await appendRows(
    connection,
    "batches",
    [VARCHAR, BIGINT, BIGINT, BIGINT],
    [
      batches.map(({ id }) => id.host),
      batches.map(({ id }) => BigInt(id.epochUs)),
      batches.map(({ id }) => BigInt(id.sequence)),
      batches.map(() => BigInt(receivedUs)),
    ],
  );
}

/**
 * Commits the batches that are not stored yet in one transaction and returns them. The engine syncs its log to disk before COMMIT returns.
 * Throws the engine's error, with nothing stored and the state unchanged.
 */
export async function commitBatches(
  connection: DuckDBConnection,
  state: WriterState,
  batches: readonly Batch[],
  receivedUs: number,
): Promise<Batch[]> {
  const fresh = selectNew(state.stored, batches);
  if (fresh.length === 0) return [];
  const rows = collectRows(state.index, fresh);
  await connection.run("BEGIN");
  try {
    await appendAll(connection, rows, fresh, receivedUs);
    await connection.run("COMMIT");
  } catch (thrown) {
    // A failed COMMIT has ended the transaction already; then there is nothing left to roll back.
    await connection.run("ROLLBACK").catch(() => {});
    throw thrown;
  }
  for (const series of rows.added) addStoredSeries(state.index, series);
  for (const { id } of fresh) rememberBatch(state.stored, id);
  return fresh;
}

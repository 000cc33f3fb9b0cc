import { BIGINT, type DuckDBConnection, DuckDBListType, DuckDBListValue, type DuckDBValue, INTEGER } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { BlockCache } from "./block-cache.js";
import type { DataFile } from "./data-file.js";
import type { SeriesIndex, StoredSeries } from "./series-index.js";

/** Ways to ask a data file. */

/** What a question needs. The file may be opened anew between two of them. */
export interface Access {
  readonly file: () => DataFile;
  readonly index: () => SeriesIndex;
  readonly cache: BlockCache;
}

const listTypes = { ids: new DuckDBListType(INTEGER), times: new DuckDBListType(BIGINT) };

/** Runs a query whose parameters are numbers, texts, and the lists `ids` and `times`. */
export async function readRows(
  connection: DuckDBConnection,
  sql: string,
  values: Record<string, DuckDBValue> = {},
): Promise<unknown[][]> {
  const types = Object.fromEntries(Object.entries(listTypes).filter(([name]) => name in values));
  return (await connection.runAndReadAll(sql, values, types)).getRowsJS();
}

export function listIds(series: readonly StoredSeries[]): DuckDBListValue {
  return new DuckDBListValue(series.map(({ id }) => id));
}

export function toStoreFailure(thrown: unknown): FleetmarkError {
  return thrown instanceof FleetmarkError ? thrown : new FleetmarkError("STORE_FAILED", errorMessage(thrown), { cause: thrown });
}

/** Asks on a connection of its own, which sees what was committed when each statement began. */
export async function query<T>({ file, cache }: Access, ask: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const leave = await cache.enter();
  try {
    const connection = await file().instance.connect();
    try {
      return await ask(connection);
    } finally {
      connection.closeSync();
    }
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    leave();
  }
}

/** Reads a stream on a connection of its own. */
export async function* streamFrom<T>(
  { file, cache }: Access,
  read: (connection: DuckDBConnection) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const leave = await cache.enter();
  try {
    const connection = await file().instance.connect();
    try {
      yield* read(connection);
    } finally {
      connection.closeSync();
    }
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    leave();
  }
}

import { BIGINT, type DuckDBConnection, DuckDBListType, DuckDBListValue, type DuckDBValue, INTEGER } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { isDamage } from "./damage/damage.js";
import type { BlockCache } from "./file/block-cache.js";
import type { DataFile } from "./file/data-file.js";
import type { SeriesIndex, StoredSeries } from "./series-index.js";

/** Ways to ask a data file. */

/** The file as a question finds it, and the series in it. */
export interface Looked {
  readonly file: DataFile;
  readonly index: SeriesIndex;
}

/** What a question needs. */
export interface Access {
  /** Ends once there is a file to look at: it may be opened anew, or give way to another, between two questions. */
  readonly settled: () => Promise<unknown>;
  readonly look: () => Looked;
  readonly cache: BlockCache;
  /** Finds what can't be read and sees to it that questions go round it. Returns whether it found anything. */
  readonly mend: () => Promise<boolean>;
  /** What each connection runs before it is asked. */
  readonly preludes: () => readonly string[];
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

/** What asks on a connection. */
type Ask<T> = (connection: DuckDBConnection, looked: Looked) => T;

async function connect({ settled, look, preludes }: Access): Promise<[DuckDBConnection, Looked]> {
  await settled();
  const looked = look();
  const connection = await looked.file.connect();
  try {
    for (const prelude of preludes()) await connection.run(prelude);
    return [connection, looked];
  } catch (thrown) {
    connection.closeSync();
    throw thrown;
  }
}

async function askOnce<T>(access: Access, ask: Ask<Promise<T>>): Promise<T> {
  const [connection, looked] = await connect(access);
  try {
    return await ask(connection, looked);
  } finally {
    connection.closeSync();
  }
}

/**
 * Asks on a connection of its own, which sees what was committed when each statement began. A question that meets what
 * can't be read is asked again once that is gone round.
 */
export async function query<T>(access: Access, ask: Ask<Promise<T>>): Promise<T> {
  const leave = await access.cache.enter();
  try {
    return await askOnce(access, ask).catch(async (thrown) => {
      if (!isDamage(thrown) || !(await access.mend())) throw thrown;
      return askOnce(access, ask);
    });
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    leave();
  }
}

/** Reads a stream on a connection of its own. What can't be read is found before: half of a stream is no answer. */
export async function* streamFrom<T>(access: Access, read: Ask<AsyncIterable<T>>): AsyncGenerator<T> {
  const leave = await access.cache.enter();
  try {
    await access.mend();
    const [connection, looked] = await connect(access);
    try {
      yield* read(connection, looked);
    } finally {
      connection.closeSync();
    }
  } catch (thrown) {
    throw toStoreFailure(thrown);
  } finally {
    leave();
  }
}

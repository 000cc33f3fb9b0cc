import { BIGINT, type DuckDBConnection, VARCHAR } from "@duckdb/node-api";
import type { Batch } from "@fleetmark/shared/model/batch";
import { rememberBatch, type StoredBatches, selectNew } from "../stored-batches.js";
import { appendNumbers, appendRows, appendSeries, appendTexts, type Identified, identifySeries } from "./append.js";
import { addStoredSeries, type SeriesIndex } from "./series-index.js";
import { commit } from "./transaction.js";

/**
 * What a transaction does. One writer, one transaction a group of batches, and all that makes them durable and known
 * is in it:
 *
 *   batches ─► leave out those that `stored` knows
 *           ─► number the series of their dictionaries; those that are new get the next numbers
 *           ─► BEGIN   series   (the new ones)
 *                      numbers  (series, time, value)
 *                      texts    (series, time, value)
 *                      batches  (host, epoch, sequence, received)
 *              COMMIT  the log is synced to disk before this returns
 *           ─► index and `stored` learn what is new
 *
 * The state in memory follows the disk and never leads: whatever fails before COMMIT leaves both as they were, and
 * the same batches may be tried again. A batch's id stands beside its samples, so that a resend after a crash finds
 * it.
 */

/** What the only writer of a data file knows of it. It changes only after a commit. */
export interface WriterState {
  readonly index: SeriesIndex;
  readonly stored: StoredBatches;
}

/** What a transaction stores. */
interface Group extends Identified {
  readonly batches: readonly Batch[];
  readonly receivedUs: number;
}

async function appendAll(connection: DuckDBConnection, { batches, ids, added, receivedUs }: Group): Promise<void> {
  await appendSeries(connection, added);
  await appendNumbers(connection, batches, ids);
  await appendTexts(connection, batches, ids);
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
 * Commits the batches that are not stored yet in one transaction and returns them. The engine syncs its log to disk
 * before COMMIT returns. Throws the engine's error, with nothing stored and the state unchanged.
 */
export async function commitBatches(
  connection: DuckDBConnection,
  state: WriterState,
  batches: readonly Batch[],
  receivedUs: number,
): Promise<Batch[]> {
  const fresh = selectNew(state.stored, batches);
  if (fresh.length === 0) return [];
  const group = { ...identifySeries(state.index, fresh), batches: fresh, receivedUs };
  await commit(connection, () => appendAll(connection, group));
  for (const series of group.added) addStoredSeries(state.index, series);
  for (const { id } of fresh) rememberBatch(state.stored, id);
  return fresh;
}

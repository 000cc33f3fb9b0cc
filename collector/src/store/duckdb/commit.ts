import { BIGINT, type DuckDBConnection, DuckDBListType, DuckDBListValue, VARCHAR } from "@duckdb/node-api";
import { type Batch, batchKey } from "@fleetmark/shared/model/batch";
import { appendNumbers, appendRows, appendSeries, appendTexts, type Identified, identifySeries } from "./append.js";
import { rememberBatch, type StoredBatches, selectNew } from "./batches/stored-batches.js";
import { commit } from "./file/transaction.js";
import { addStoredSeries, type SeriesIndex } from "./series-index.js";

/**
 * What a transaction does. One writer, one transaction a group of batches, and all that makes them durable and known
 * is in it:
 *
 *   batches ─► leave out those that `stored` knows
 *           ─► number the series of their dictionaries; those that are new get the next numbers
 *           ─► BEGIN   series   (the new ones)
 *                      numbers  (series, time, value)
 *                      texts    (series, time, value)
 *                      batches  (host, epoch, sequence, received, digest)
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
    [VARCHAR, BIGINT, BIGINT, BIGINT, BIGINT],
    [
      batches.map(({ id }) => id.host),
      batches.map(({ id }) => BigInt(id.epochUs)),
      batches.map(({ id }) => BigInt(id.sequence)),
      batches.map(() => BigInt(receivedUs)),
      batches.map(({ digest }) => (digest === undefined ? null : BigInt(digest))),
    ],
  );
}

/** Tells of batches that come again with another content than the one that is stored, or stands before in the group. */
async function findConflicts(
  connection: DuckDBConnection,
  batches: readonly Batch[],
  fresh: readonly Batch[],
  onConflict: (batch: Batch) => void,
): Promise<void> {
  const isFresh = new Set(fresh);
  const repeated = batches.filter((batch) => !isFresh.has(batch) && batch.digest !== undefined);
  if (repeated.length === 0) return;
  const digests = new Map(fresh.map(({ id, digest }) => [batchKey(id), digest]));
  const rows = await connection.runAndReadAll(
    "SELECT host, epoch_us, sequence, digest FROM batches WHERE digest IS NOT NULL AND host IN (SELECT unnest($hosts)) AND sequence IN (SELECT unnest($sequences))",
    {
      hosts: new DuckDBListValue([...new Set(repeated.map(({ id }) => id.host))]),
      sequences: new DuckDBListValue([...new Set(repeated.map(({ id }) => id.sequence))].map(BigInt)),
    },
    { hosts: new DuckDBListType(VARCHAR), sequences: new DuckDBListType(BIGINT) },
  );
  for (const [host, epochUs, sequence, digest] of rows.getRowsJS())
    digests.set(batchKey({ host: String(host), epochUs: Number(epochUs), sequence: Number(sequence) }), Number(digest));
  for (const batch of repeated) {
    const stored = digests.get(batchKey(batch.id));
    if (stored !== undefined && stored !== batch.digest) onConflict(batch);
  }
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
  onConflict: (batch: Batch) => void = () => {},
): Promise<Batch[]> {
  const fresh = selectNew(state.stored, batches);
  if (fresh.length < batches.length) await findConflicts(connection, batches, fresh, onConflict);
  if (fresh.length === 0) return [];
  const group = { ...identifySeries(state.index, fresh), batches: fresh, receivedUs };
  await commit(connection, () => appendAll(connection, group));
  for (const series of group.added) addStoredSeries(state.index, series);
  for (const { id } of fresh) rememberBatch(state.stored, id);
  return fresh;
}

import type { DuckDBConnection } from "@duckdb/node-api";
import { commit } from "../file/transaction.js";
import { rememberRange, type StoredBatches } from "./stored-batches.js";

/**
 * The ids of all stored batches: one row each at first, and from the second day on one row for as many as follow on
 * each other.
 */

/** Microseconds for which batches keep rows of their own. */
const gatherAfterUs = 86_400e6;

const single = "SELECT host, epoch_us, sequence AS first, sequence AS last, received_us FROM batches";
const gathered = "SELECT host, epoch_us, first, last, received_us FROM batch_ranges";

/**
 * Returns what selects all stored batches as ranges, none of which overlap: host, epoch_us, first, last, received_us.
 * @param version of the file's tables
 */
export function selectRanges(version: number): string {
  return version < 3 ? single : `${single} UNION ALL ${gathered}`;
}

/** Joins ranges that follow on each other. */
function joinRanges(ranges: string): string {
  const order = "OVER (PARTITION BY host, epoch_us ORDER BY first)";
  return `SELECT host, epoch_us, min(first) AS first, max(last) AS last, max(received_us) AS received_us
    FROM (SELECT *, sum(begins) ${order} AS island
      FROM (SELECT *, if(first = lag(last) ${order} + 1, 0, 1) AS begins FROM (${ranges})))
    GROUP BY host, epoch_us, island ORDER BY host, epoch_us, first`;
}

/** Loads the ids of all stored batches. */
export async function loadStoredBatches(connection: DuckDBConnection, version: number): Promise<StoredBatches> {
  const stored: StoredBatches = new Map();
  const rows = await connection.runAndReadAll(joinRanges(selectRanges(version)));
  for (const [host, epoch, first, last] of rows.getRowsJS()) {
    rememberRange(stored, host as string, Number(epoch), [Number(first), Number(last)]);
  }
  return stored;
}

/**
 * Gathers the batches of former days into ranges, beside the writer: a fleet of 10 000 hosts stores 86 million
 * batches a day.
 */
export async function gatherBatches(connection: DuckDBConnection, nowUs: number): Promise<void> {
  const before = { before: BigInt(nowUs - gatherAfterUs) };
  const joined = joinRanges(`${single} WHERE received_us < $before UNION ALL ${gathered}`);
  await commit(connection, async () => {
    await connection.run(`CREATE TEMP TABLE joined AS ${joined}`, before);
    await connection.run("DELETE FROM batches WHERE received_us < $before", before);
    await connection.run("DELETE FROM batch_ranges");
    await connection.run("INSERT INTO batch_ranges SELECT * FROM joined");
    await connection.run("DROP TABLE joined");
  });
}

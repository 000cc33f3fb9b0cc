import { type Fate, type Priority, priorities } from "../batch/encoded-batch.js";
import { type EntryFacts, last, origin, readFacts } from "../batch/entry.js";
import { readDisk } from "./disk.js";
import { listUnwritten, removeBatch, type SpoolState } from "./spool-state.js";
import { sumTally } from "./tally.js";

/** What keeps a spool within its bounds: the oldest goes first, and telemetry before results. */

/** Bytes in memory of what the disk can't take. */
export const heldBytes = 4 * 2 ** 20;

/** Milliseconds between two events of a spool that stays full. */
const tellFullEveryMs = 60_000;

/** What goes first when something must go. */
const sacrifices = ["telemetry", "result"] as const satisfies readonly Priority[];

/** Gives up what is alive on the disk, in order, until `enough`. */
async function sacrificeWritten(
  state: SpoolState,
  priority: Priority,
  fate: Fate,
  enough: (batch: EntryFacts) => boolean,
): Promise<void> {
  for (let after = origin; ; ) {
    const entries = await readDisk(state.disk, priority, after, last, state.disk.options.segmentBytes);
    for (const batch of entries.map(readFacts)) {
      if (enough(batch)) return;
      removeBatch(state, batch, fate);
      after = batch;
    }
    if (entries.length === 0) return;
  }
}

function sacrificeUnwritten(state: SpoolState, priority: Priority, fate: Fate, enough: () => boolean): void {
  for (const entry of listUnwritten(state)) {
    if (enough()) return;
    if (entry.priority === priority) removeBatch(state, readFacts(entry), fate);
  }
}

/** Gives up what is older than the spool's age, at the moment that it was last told. */
export async function dropOld(state: SpoolState): Promise<void> {
  const { tally, options } = state;
  const earliestMs = state.nowMs - options.maxAge * 1000;
  for (const priority of priorities) {
    const first = tally.oldest[priority];
    if (first === undefined || first.putMs >= earliestMs) continue;
    const before = sumTally(tally, "samples");
    await sacrificeWritten(state, priority, "SPOOL_TOO_OLD", ({ putMs }) => putMs >= earliestMs);
    const samples = before - sumTally(tally, "samples");
    options.logger.warn({ event: "spool_too_old", code: "SPOOL_TOO_OLD", samples, max_age_s: options.maxAge });
  }
}

/** Gives up what is above the spool's bytes. */
export async function makeRoom(state: SpoolState): Promise<void> {
  const { tally, options } = state;
  const enough = (): boolean => sumTally(tally, "bytes") <= options.maxBytes;
  if (enough()) return;
  const before = sumTally(tally, "samples");
  for (const priority of sacrifices) {
    if (!enough()) await sacrificeWritten(state, priority, "SPOOL_FULL", enough);
    sacrificeUnwritten(state, priority, "SPOOL_FULL", enough);
  }
  if (performance.now() - state.toldFullAt < tellFullEveryMs) return;
  state.toldFullAt = performance.now();
  const samples = before - sumTally(tally, "samples");
  options.logger.warn({ event: "spool_full", code: "SPOOL_FULL", samples, limit: options.maxBytes });
}

/** Gives up what is above the bytes that memory may hold. */
export function trimUnwritten(state: SpoolState, fate: Fate): void {
  const limit = Math.min(heldBytes, state.options.maxBytes);
  const enough = (): boolean => listUnwritten(state).reduce((bytes, entry) => bytes + entry.bytes.length, 0) <= limit;
  for (const priority of sacrifices) sacrificeUnwritten(state, priority, fate, enough);
}

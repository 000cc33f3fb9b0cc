import { addCount } from "../batch/losses.js";
import type { ClockState } from "../time/clock.js";
import { type Found, loadDisk } from "./disk.js";
import { DiskFailure, tryDisk } from "./disk-failure.js";
import type { Ledger } from "./ledger.js";
import { countUnreadable, noticeFailure, type SpoolState, writeLedger } from "./spool-state.js";
import { addToTally } from "./tally.js";

function isLater(a: ClockState, b: ClockState): boolean {
  return a.generation === b.generation ? a.lastUs > b.lastUs : a.generation > b.generation;
}

/** Reads the batches that earlier processes left. */
async function loadBatches(state: SpoolState): Promise<{ found: Found; highestEpochUs: number }> {
  let highestEpochUs = 0;
  const found = await loadDisk(state.disk, ({ id, samples, putMs, bytes, clock }, priority) => {
    const { epochUs, sequence } = id;
    addToTally(state.tally, { priority, epochUs, sequence, samples, putMs, size: bytes.length });
    state.hosts.set(epochUs, id.host);
    highestEpochUs = Math.max(highestEpochUs, epochUs);
    if (isLater(clock, state.clock)) state.clock = clock;
  });
  return { found, highestEpochUs };
}

/** Goes on where the process before left off. */
function inherit(state: SpoolState, ledger: Ledger | undefined, highestEpochUs: number): void {
  const { host, wallMs, losses, epochOffsetUs = 0 } = state.options;
  state.epochUs = Math.max(wallMs * 1000 + epochOffsetUs, (ledger?.epochUs ?? 0) + 1, highestEpochUs + 1);
  state.hosts.set(state.epochUs, host);
  state.lastKept = { epochUs: state.epochUs, sequence: 0 };
  if (ledger === undefined) return;
  if (isLater(ledger.clock, state.clock)) state.clock = ledger.clock;
  losses.quarantined += ledger.quarantined;
  for (const [code, samples] of Object.entries(ledger.dropped)) addCount(losses.dropped, code, samples);
}

/** Counts what the ledger says was there and the files lack; without a ledger, each damage as one batch. */
function countMissing({ options }: SpoolState, ledger: Ledger | undefined, found: Found): void {
  const batches = ledger === undefined ? found.damages : Math.max(0, ledger.records - found.records);
  const samples = ledger === undefined ? 0 : Math.max(0, ledger.samples - found.samples);
  if (batches > 0) countUnreadable(options, batches, samples);
}

/**
 * Takes over what earlier processes left, and begins this one's epoch.
 * @throws FleetmarkError DATA_NEWER, and what the file system throws but for a full disk
 */
export async function takeOverSpool(state: SpoolState): Promise<void> {
  const ledger = state.ledger.read();
  const { found, highestEpochUs } = await loadBatches(state);
  inherit(state, ledger, highestEpochUs);
  countMissing(state, ledger, found);
  // Durable before anything is sent: the epoch of the next process must be above this one.
  try {
    await tryDisk(async () => writeLedger(state, true));
  } catch (thrown) {
    if (!(thrown instanceof DiskFailure)) throw thrown;
    if (thrown.code !== "SPOOL_DISK_FULL") throw thrown.cause;
    noticeFailure(state, thrown);
  }
}

import { nameBatch } from "@fleetmark/shared/model/batch";
import { type Fate, type Priority, priorities } from "../batch/encoded-batch.js";
import { comparePositions, last, origin, readFacts } from "../batch/entry.js";
import { dropOld, makeRoom, trimUnwritten } from "./bounds.js";
import { appendToDisk, buryBatches, markGoneOnDisk, readDisk, sweepDisk } from "./disk.js";
import { DiskFailure, tryDisk } from "./disk-failure.js";
import { mendFolder } from "./folder.js";
import { listUnwritten, makeReady, noticeFailure, type SpoolState, writeLedger } from "./spool-state.js";

/** Milliseconds between two tries with a disk that fails. */
const retryMs = 2000;

/** Appends what is unwritten of a priority as one group, and lets it be sent. */
async function appendUnwritten(state: SpoolState, priority: Priority): Promise<void> {
  const group = state.unwritten.filter(({ entry }) => entry.priority === priority);
  if (group.length === 0) return;
  state.writing = new Set(group.map(({ entry }) => nameBatch(entry.id)));
  try {
    const records = group.map(({ entry, clock }) => ({ ...entry, clock }));
    await appendToDisk(state.disk, priority, records);
  } finally {
    state.writing = new Set();
  }
  const alive = new Set(state.unwritten);
  for (const each of group) if (!alive.has(each)) markGoneOnDisk(state.disk, readFacts(each.entry));
  const written = new Set(group);
  state.unwritten = state.unwritten.filter((each) => !written.has(each));
  const { id } = group[group.length - 1].entry;
  if (comparePositions(id, state.lastKept) > 0) state.lastKept = id;
  makeReady(
    state,
    group.filter((each) => alive.has(each)),
  );
}

async function buryGone(state: SpoolState): Promise<void> {
  const some = state.unburied;
  if (some.length === 0) return;
  state.unburied = [];
  try {
    await buryBatches(state.disk, some);
  } catch (thrown) {
    state.unburied = [...some, ...state.unburied];
    throw thrown;
  }
}

/** Finds which batch is the oldest, where the one that was has gone. */
async function findOldest(state: SpoolState): Promise<void> {
  const { tally, disk } = state;
  for (const priority of priorities) {
    if (tally.oldest[priority] !== undefined || tally.amounts[priority].batches === 0) continue;
    const [onDisk] = await readDisk(disk, priority, origin, last, 1);
    const first = onDisk ?? listUnwritten(state).find((entry) => entry.priority === priority);
    if (first !== undefined) tally.oldest[priority] = readFacts(first);
  }
}

/** Goes on from memory with what the disk can't take. */
function holdInMemory(state: SpoolState, fate: Fate): void {
  trimUnwritten(state, fate);
  makeReady(state, state.unwritten);
  state.worker.wakeWithin(retryMs);
}

function noticeRecovery(state: SpoolState): void {
  if (state.failure === undefined) return;
  const { logger, dir } = state.options;
  state.failure = undefined;
  logger.info({ event: "spool_disk_recovered", dir });
  state.listener.onReadable();
}

/**
 * Brings the disk up to date. What frees space comes first, and what of it fails does not keep the rest from being
 * done; but in a folder that is not ours nothing is done.
 */
export async function commitToDisk(state: SpoolState): Promise<void> {
  const steps: readonly (() => Promise<void>)[] = [
    () => mendFolder(state),
    () => dropOld(state),
    () => makeRoom(state),
    () => sweepDisk(state.disk, () => writeLedger(state, true)),
    ...priorities.map((priority) => () => appendUnwritten(state, priority)),
    () => buryGone(state),
    async () => writeLedger(state, false),
    () => findOldest(state),
  ];
  let failed: DiskFailure | undefined;
  for (const step of steps) {
    try {
      await tryDisk(step);
    } catch (thrown) {
      if (!(thrown instanceof DiskFailure)) throw thrown;
      failed = thrown;
      noticeFailure(state, thrown);
      if (step === steps[0]) break;
    }
  }
  if (state.unwritten.length > 0) holdInMemory(state, failed?.code ?? "SPOOL_DISK_FULL");
  else if (failed !== undefined) state.worker.wakeWithin(retryMs);
  else noticeRecovery(state);
}

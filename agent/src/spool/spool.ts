import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { once } from "@fleetmark/shared/lifecycle";
import { type EncodedBatch, type Fate, type Priority, priorities } from "../batch/encoded-batch.js";
import { type Chunk, type Entry, type EntryFacts, origin, type Position, readFacts } from "../batch/entry.js";
import type { ClockState } from "../time/clock.js";
import { commitToDisk } from "./commit.js";
import { closeDisk, createDisk, type Disk, readDisk, sweepDisk } from "./disk.js";
import { DiskFailure, tryDisk } from "./disk-failure.js";
import { type DiskWorker, startDiskWorker } from "./disk-worker.js";
import { isInPlace, lookAtFolder, lookEveryMs, makeSpoolFolder } from "./folder.js";
import { openLedger } from "./ledger.js";
import { lockSpool } from "./lock.js";
import {
  countUnreadable,
  findUnwritten,
  listUnwritten,
  noticeFailure,
  removeBatch,
  type SpoolListener,
  type SpoolOptions,
  type SpoolState,
  writeLedger,
} from "./spool-state.js";
import { takeOverSpool } from "./takeover.js";
import { addToTally, createTally, findOldestPutMs, sumTally, takeOffLoss } from "./tally.js";

export type { SpoolListener, SpoolOptions } from "./spool-state.js";

/**
 * The spool keeps batches from before they are sent until it is known what became of them. Its folder holds
 *
 *   lock                           a socket: whoever listens on it holds the spool (lock.ts)
 *   note                           the ledger: epoch, clock, counts, what the files should hold (ledger.ts)
 *   r-EPOCH-SEQUENCE.batches       a segment of results, named by its first batch; t-…, of telemetry (segment.ts)
 *   r-EPOCH-SEQUENCE.batches.gone  the tombstones of those of its batches that are gone (record.ts)
 *   quarantine/                    what could not be read (quarantine.ts)
 *
 * A batch lives so:
 *
 *        put               commit                    release            commit
 *   ──► ─────► unwritten ──────────► in a segment ──────────────► gone ────────► its tombstone is written,
 *                 │   │                   │            onGone ▲               or its segment is deleted
 *                 │   │ the disk can't    │ onReady           │
 *                 │   │ take it: onReady  ▼                   │
 *                 │   └──────────────► may be sent            │
 *                 └──── too old, too much, no room in memory ─┘
 *
 * A commit is the one regular task of the disk's worker: it comes as soon as something was put, appends all that waits
 * of a priority as one group, and syncs once for each. Nothing waits for it but `flush`, `read` and `close`.
 */

/** Bytes of a segment: small, because only whole files give their space back. */
const segmentBounds = { least: 2 ** 16, most: 2 ** 20, perSpool: 32 } as const;

/** What waits for its acknowledgement, on the disk. */
export interface Spool {
  /** Names this process's new batches: above the epoch of every process before it. */
  readonly epochUs: number;
  /** Begins a new epoch, for a collector knows other batches under this one. Returns it. */
  renewEpoch(wallMs: number): number;
  /** What the process before stamped. */
  readonly clockBefore: ClockState;
  readonly batches: number;
  readonly bytes: number;
  readonly samples: number;
  readonly limitBytes: number;
  /** Milliseconds since the Unix epoch when the oldest batch was put; undefined when empty. */
  readonly oldestPutMs: number | undefined;
  /** Tells a listener, the only one, what happens from now on. */
  listen(listener: SpoolListener): void;
  /**
   * Takes a batch of this process's epoch whose sequence is above all before it. `clock` is as after its last sample.
   */
  put(batch: EncodedBatch, clock: ClockState, wallMs: number): void;
  release(entry: Entry, fate: Fate): void;
  /** Releases a batch of which only the name is known. */
  releaseByName(position: Position, fate: Fate): void;
  /** The host that the batches of an epoch are of; undefined for an epoch that this spool never held. */
  findHost(epochUs: number): string | undefined;
  /** Reads batches of a priority after one position and not after another; undefined while the disk can't be read. */
  read(priority: Priority, after: Position, upTo: Position, bytes: number): Promise<Chunk | undefined>;
  /** What may be sent and could not be put on the disk: it waits in memory. */
  listHeld(): readonly Entry[];
  isHeld(entry: Entry): boolean;
  /** The last batch that is on the disk. */
  lastKept(): Position;
  /** Resolves when all that was put before is on the disk, or the disk can't take it. */
  flush(): Promise<void>;
  /**
   * Puts on the disk what is not there yet and closes the files. Returns the batches and samples left for the next
   * process.
   */
  close(): Promise<{ batches: number; samples: number }>;
}

/**
 * Opens the spool in a folder, which is made if it is not there. What it holds is kept as far as it can be read.
 * @throws FleetmarkError SPOOL_LOCKED, SPOOL_UNWRITABLE, DATA_NEWER. A full disk is no reason not to start.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { dir } = options;
  let unlock = async (): Promise<void> => {};
  try {
    const folder = await makeSpoolFolder(dir);
    unlock = await lockSpool(dir);
    return await openLockedSpool(createState(options, folder, unlock));
  } catch (thrown) {
    await unlock();
    if (thrown instanceof FleetmarkError || systemErrorCode(thrown) === undefined) throw thrown;
    throw new FleetmarkError("SPOOL_UNWRITABLE", `cannot keep a spool in ${dir}: ${errorMessage(thrown)}`, { cause: thrown });
  }
}

async function openLockedSpool(state: SpoolState): Promise<Spool> {
  await takeOverSpool(state);
  const clockBefore = state.clock;
  await state.worker.runAlone(() => commitToDisk(state));
  return presentSpool(state, clockBefore);
}

function createState(options: SpoolOptions, folder: string, unlock: () => Promise<void>): SpoolState {
  const { dir, maxBytes, logger } = options;
  const tally = createTally();
  const segmentBytes = Math.min(segmentBounds.most, Math.max(segmentBounds.least, maxBytes / segmentBounds.perSpool));
  const disk: Disk = createDisk({
    dir,
    segmentBytes,
    quarantineBytes: Math.max(segmentBytes, maxBytes / 4),
    onLost: (priority, lost) => {
      takeOffLoss(tally, priority, lost);
      countUnreadable(options, lost.batches, lost.samples);
    },
  });
  const worker: DiskWorker = startDiskWorker(
    () => commitToDisk(state),
    (thrown) => logger.error({ event: "spool_failed", code: "INTERNAL", err: thrown }),
  );
  const state: SpoolState = {
    options,
    disk,
    worker,
    ledger: openLedger(dir),
    tally,
    folder,
    unlock,
    listener: { onReady: () => {}, onGone: () => {}, onReadable: () => {}, onMoved: () => {} },
    unwritten: [],
    writing: new Set(),
    unburied: [],
    lastKept: origin,
    hosts: new Map(),
    epochUs: 0,
    clock: { lastUs: 0, generation: 0 },
    nowMs: options.wallMs,
    failure: undefined,
    toldFullAt: Number.NEGATIVE_INFINITY,
  };
  return state;
}

function renewEpoch(state: SpoolState, wallMs: number): number {
  state.epochUs = Math.max(wallMs * 1000, state.epochUs + 1);
  state.hosts.set(state.epochUs, state.options.host);
  // The ledger tells the next process of it.
  state.worker.schedule();
  return state.epochUs;
}

function putBatch(state: SpoolState, batch: EncodedBatch, clock: ClockState, wallMs: number): void {
  state.clock = clock;
  state.nowMs = wallMs;
  const entry = { ...batch, putMs: wallMs };
  addToTally(state.tally, readFacts(entry));
  state.unwritten.push({ entry, clock, isReady: false });
  state.worker.schedule();
}

async function findOnDisk({ disk }: SpoolState, position: Position): Promise<EntryFacts | undefined> {
  const before = { epochUs: position.epochUs, sequence: position.sequence - 1 };
  for (const priority of priorities) {
    const [entry] = await readDisk(disk, priority, before, position, 1);
    if (entry !== undefined) return readFacts(entry);
  }
  return undefined;
}

function releaseByName(state: SpoolState, position: Position, fate: Fate): void {
  const inMemory = findUnwritten(state, position);
  if (inMemory !== undefined) {
    removeBatch(state, inMemory, fate);
    return;
  }
  const { worker } = state;
  const release = async (): Promise<void> => {
    const batch = worker.isStopped ? undefined : await findOnDisk(state, position);
    if (batch !== undefined) removeBatch(state, batch, fate);
  };
  worker.runAlone(release).catch(() => {});
}

function readChunk(
  state: SpoolState,
  priority: Priority,
  after: Position,
  upTo: Position,
  bytes: number,
): Promise<Chunk | undefined> {
  return state.worker.runAlone(async () => {
    if (state.worker.isStopped) return undefined;
    try {
      const entries = await tryDisk(() => readDisk(state.disk, priority, after, upTo, bytes));
      return { entries, next: entries.at(-1)?.id };
    } catch (thrown) {
      if (!(thrown instanceof DiskFailure)) throw thrown;
      noticeFailure(state, thrown);
      return undefined;
    }
  });
}

/** What can't be put on the disk ends with the process: it is counted, and said. */
function giveUpUnwritten(state: SpoolState): void {
  const given = listUnwritten(state);
  if (given.length === 0) return;
  const code = state.failure?.code ?? "SPOOL_DISK_FULL";
  const samples = given.reduce((sum, entry) => sum + entry.samples, 0);
  for (const entry of given) removeBatch(state, readFacts(entry), code);
  state.options.logger.error(
    { event: "batch_dropped", code, batches: given.length, samples },
    "what waited in memory for the disk ends with the agent",
  );
}

async function closeSpool(state: SpoolState): Promise<{ batches: number; samples: number }> {
  const { worker, disk, ledger, tally } = state;
  await worker.stop();
  giveUpUnwritten(state);
  await worker.runAlone(async () => {
    await closeDisk(disk);
    if (await isInPlace(state)) {
      await tryDisk(() => sweepDisk(disk, () => writeLedger(state, true))).catch(() => {});
      // The counts go on in the next process. The ledger is written in place, which a full disk allows.
      await tryDisk(async () => writeLedger(state, true)).catch((thrown) => noticeFailure(state, thrown));
      await state.unlock();
    }
    ledger.close();
  });
  return { batches: sumTally(tally, "batches"), samples: sumTally(tally, "samples") };
}

function presentSpool(state: SpoolState, clockBefore: ClockState): Spool {
  const looking = setInterval(() => void lookAtFolder(state), lookEveryMs).unref();
  const { tally, worker, hosts, options } = state;
  return {
    get epochUs() {
      return state.epochUs;
    },
    renewEpoch: (wallMs) => renewEpoch(state, wallMs),
    clockBefore,
    limitBytes: options.maxBytes,
    get batches() {
      return sumTally(tally, "batches");
    },
    get bytes() {
      return sumTally(tally, "bytes");
    },
    get samples() {
      return sumTally(tally, "samples");
    },
    get oldestPutMs() {
      return findOldestPutMs(tally);
    },
    listen: (listener) => {
      state.listener = listener;
    },
    put: (batch, clock, wallMs) => putBatch(state, batch, clock, wallMs),
    release: (entry, fate) => removeBatch(state, readFacts(entry), fate),
    releaseByName: (position, fate) => releaseByName(state, position, fate),
    findHost: (epoch) => hosts.get(epoch),
    read: (priority, after, upTo, bytes) => readChunk(state, priority, after, upTo, bytes),
    listHeld: () => state.unwritten.filter(({ isReady }) => isReady).map(({ entry }) => entry),
    isHeld: (entry) => state.unwritten.some((each) => each.entry === entry),
    lastKept: () => state.lastKept,
    flush: () => {
      worker.schedule();
      return worker.runAlone(async () => {});
    },
    close: once(() => {
      clearInterval(looking);
      return closeSpool(state);
    }),
  };
}

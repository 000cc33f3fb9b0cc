import type { Logger } from "@fleetmark/shared/log";
import { nameBatch } from "@fleetmark/shared/model/batch";
import type { Fate } from "../batch/encoded-batch.js";
import { comparePositions, type Entry, type EntryFacts, type Position, readFacts } from "../batch/entry.js";
import { addCount, type Losses } from "../batch/losses.js";
import type { ClockState } from "../time/clock.js";
import { type Disk, markGoneOnDisk, sumFiles } from "./disk.js";
import type { DiskFailure } from "./disk-failure.js";
import type { DiskWorker } from "./disk-worker.js";
import type { LedgerFile } from "./ledger.js";
import { removeFromTally, type Tally } from "./tally.js";

/** Milliseconds until the disk is told that batches are gone, and how many of them don't wait for that. */
const burial = { withinMs: 1000, atOnce: 512 } as const;

/** Hears of what happens in a spool. */
export interface SpoolListener {
  /** Told of entries that may be sent now, in order: they are on the disk, or the disk can't take them. */
  onReady(entries: readonly Entry[]): void;
  /** Told of every batch that leaves, once. */
  onGone(batch: EntryFacts, fate: Fate): void;
  /** Told that the disk can be read again. */
  onReadable(): void;
  /** Told that another folder lies under the spool's name now. */
  onMoved(): void;
}

export interface SpoolOptions {
  readonly host: string;
  readonly dir: string;
  /** Of encoded batches. The files may be larger by what was deleted and is not given back yet. */
  readonly maxBytes: number;
  /** Seconds. */
  readonly maxAge: number;
  readonly logger: Logger;
  /** What the spool loses is counted here. The counts go on where the process before left them. */
  readonly losses: Losses;
  /** Milliseconds since the Unix epoch, by the host's clock as it is. */
  readonly wallMs: number;
  /** Microseconds that the epoch is put off by; default 0. */
  readonly epochOffsetUs?: number;
}

/** A batch that is not on the disk yet. */
export interface Unwritten {
  readonly entry: Entry;
  /** As after the last sample that was stamped before it was put. */
  readonly clock: ClockState;
  /** Whether it may be sent though the disk could not take it. */
  isReady: boolean;
}

/** An open spool. */
export interface SpoolState {
  readonly options: SpoolOptions;
  readonly disk: Disk;
  readonly worker: DiskWorker;
  readonly ledger: LedgerFile;
  readonly tally: Tally;
  /** Tells the folder from another that is put in its place. */
  folder: string;
  /** Releases the folder's lock. */
  unlock: () => Promise<void>;
  listener: SpoolListener;
  /** In order. */
  unwritten: Unwritten[];
  /** Names of those that a write under way carries. */
  writing: ReadonlySet<string>;
  /** Gone, but the disk does not know yet. */
  unburied: EntryFacts[];
  /** The last batch that is on the disk. */
  lastKept: Position;
  /** Hosts by the epochs whose batches are theirs. */
  readonly hosts: Map<number, string>;
  epochUs: number;
  /** What was stamped last. */
  clock: ClockState;
  /** By the host's clock, as it was last told, milliseconds. */
  nowMs: number;
  /** What is wrong with the disk now. */
  failure: DiskFailure | undefined;
  /** When it was last logged that the spool is full, by the steady clock. */
  toldFullAt: number;
}

/** Lets a batch go that is alive, wherever it is. */
export function removeBatch(state: SpoolState, batch: EntryFacts, fate: Fate): void {
  const index = state.unwritten.findIndex(({ entry }) => comparePositions(entry.id, batch) === 0);
  if (index >= 0) state.unwritten.splice(index, 1);
  // One that is being written is marked once it is there.
  if (index < 0) markGoneOnDisk(state.disk, batch);
  if (index < 0 || state.writing.has(nameBatch(batch))) {
    state.unburied.push(batch);
    if (state.unburied.length >= burial.atOnce) state.worker.schedule();
    else state.worker.wakeWithin(burial.withinMs);
  }
  removeFromTally(state.tally, batch);
  if (fate !== "committed" && fate !== "renumbered") addCount(state.options.losses.dropped, fate, batch.samples);
  state.listener.onGone(batch, fate);
}

/** Says that batches may be sent, where that was not said before. */
export function makeReady(state: SpoolState, some: readonly Unwritten[]): void {
  const unready = some.filter(({ isReady }) => !isReady);
  for (const each of unready) each.isReady = true;
  if (unready.length > 0) state.listener.onReady(unready.map(({ entry }) => entry));
}

/** Counts what could not be read any more, and tells of it. */
export function countUnreadable({ losses, logger, dir }: SpoolOptions, batches: number, samples: number): void {
  losses.quarantined += batches;
  if (samples > 0) addCount(losses.dropped, "SPOOL_CORRUPT", samples);
  logger.error({ event: "batches_quarantined", code: "SPOOL_CORRUPT", batches, samples, dir });
}

/** Tells of a failure of the disk, once for as long as it stays the same. */
export function noticeFailure(state: SpoolState, failure: DiskFailure): void {
  const { logger, dir } = state.options;
  if (failure.code !== state.failure?.code)
    logger.error({ event: "spool_disk_failed", code: failure.code, dir }, failure.message);
  state.failure = failure;
}

/** Puts on the disk what the next process must know beside the batches; through a loss of power only with `sync`. */
export function writeLedger({ options: { losses }, disk, ledger, epochUs, clock }: SpoolState, sync: boolean): void {
  const dropped = Object.fromEntries(losses.dropped);
  ledger.write({ epochUs, clock, ...sumFiles(disk), dropped, quarantined: losses.quarantined }, { sync });
}

export function listUnwritten({ unwritten }: SpoolState): Entry[] {
  return unwritten.map(({ entry }) => entry);
}

/** Finds a batch that is not on the disk yet. */
export function findUnwritten({ unwritten }: SpoolState, position: Position): EntryFacts | undefined {
  const found = unwritten.find(({ entry }) => comparePositions(entry.id, position) === 0);
  return found === undefined ? undefined : readFacts(found.entry);
}

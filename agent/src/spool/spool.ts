import { mkdir } from "node:fs/promises";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { addCount, type DeliveryCounts } from "../delivery/counts.js";
import type { Chunk } from "../delivery/send-queue.js";
import type { ClockState } from "../time/clock.js";
import { createSpoolBounds } from "./bounds.js";
import { createSpoolDisk, type SpoolDisk } from "./disk.js";
import { DiskTrouble, tryDisk } from "./disk-failure.js";
import { createDiskTurns } from "./disk-worker.js";
import type { Fate, Parcel, Priority } from "./encoded-batch.js";
import { comparePositions, type Entry, type EntryFacts, last, namePosition, origin, type Position, readFacts } from "./entry.js";
import { type Note, openNoteFile } from "./ledger.js";
import { lockSpool } from "./lock.js";
import { createSpoolTally, priorities } from "./tally.js";

/** Milliseconds: how long it may take to note on the disk that batches are gone, and between two tries with a failed disk. */
const waits = { graves: 1000, retry: 2000 } as const;
const gravesAtOnce = 512;

/** Bytes of a file of batches: small, because only whole files give their space back. */
const segmentBounds = { least: 2 ** 16, most: 2 ** 20, perSpool: 32 } as const;

export interface SpoolOptions {
  readonly host: string;
  readonly dir: string;
  /** Of encoded batches. The files may be larger by what was deleted and is not given back yet. */
  readonly maxBytes: number;
  /** Seconds. */
  readonly maxAge: number;
  readonly logger: Logger;
  /** The counts of drops go on where the process before left them. */
  readonly counts: DeliveryCounts;
  /** Milliseconds since the Unix epoch, by the host's clock as it is. */
  readonly wallMs: number;
  /** Told of entries that may be sent now, in order: they are on the disk, or the disk can't take them. */
  onReady(entries: readonly Entry[]): void;
  /** Told of every batch that leaves, once. */
  onGone(batch: EntryFacts, fate: Fate): void;
  /** Told that the disk can be read again. */
  onReadable(): void;
}

/** What waits for its acknowledgement, on the disk. */
export interface Spool {
  /** Names this process's batches: above the epoch of every process before it. */
  readonly epochUs: number;
  /** What the process before stamped. */
  readonly clockBefore: ClockState;
  readonly batches: number;
  readonly bytes: number;
  readonly samples: number;
  readonly limitBytes: number;
  /** Milliseconds since the Unix epoch when the oldest batch was put; undefined when empty. */
  readonly oldestPutMs: number | undefined;
  /** Takes a parcel of this process's epoch whose sequence is above all before it. `clock` is as after its last sample. */
  put(parcel: Parcel, clock: ClockState, wallMs: number): void;
  release(entry: Entry, fate: Fate): void;
  /** Releases a batch of which only the name is known. */
  releaseByName(position: Position, fate: Fate): void;
  /** The host that the batches of an epoch are of; undefined for an epoch that this spool never held. */
  findHost(epochUs: number): string | undefined;
  read(priority: Priority, after: Position, upTo: Position, bytes: number): Promise<Chunk | undefined>;
  listHeld(): readonly Entry[];
  isHeld(entry: Entry): boolean;
  lastKept(): Position;
  /** Resolves when all that was put before is on the disk, or the disk can't take it. */
  settle(): Promise<void>;
  /** Puts on the disk what is not there yet and closes the files. Returns the batches and samples left for the next process. */
  close(): Promise<{ batches: number; samples: number }>;
}

interface Waiting {
  readonly entry: Entry;
  readonly clock: ClockState;
  /** Whether it was made ready though the disk could not take it. */
  isReady: boolean;
}

const isLater = (a: ClockState, b: ClockState): boolean =>
  a.generation === b.generation ? a.lastUs > b.lastUs : a.generation > b.generation;

/**
 * Opens the spool in a folder, which is made if it is not there. What it holds is kept as far as it can be read.
 * @throws FleetmarkError SPOOL_LOCKED, SPOOL_UNWRITABLE, DATA_NEWER. A full disk is no reason not to start.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { dir } = options;
  let unlock = async (): Promise<void> => {};
  try {
    await mkdir(dir, { recursive: true });
    unlock = await lockSpool(dir);
    return await openLockedSpool(options, unlock);
  } catch (thrown) {
    await unlock();
    if (thrown instanceof FleetmarkError || systemErrorCode(thrown) === undefined) throw thrown;
    throw new FleetmarkError("SPOOL_UNWRITABLE", `cannot keep a spool in ${dir}: ${errorMessage(thrown)}`, { cause: thrown });
  }
}

async function openLockedSpool(options: SpoolOptions, unlock: () => Promise<void>): Promise<Spool> {
  const { host, dir, maxBytes, maxAge, logger, counts, onReady, onGone } = options;
  const tally = createSpoolTally();
  /** Not on the disk yet, in order. */
  let waiting: Waiting[] = [];
  /** Names of those that a write under way carries. */
  let writing: ReadonlySet<string> = new Set();
  /** Gone, but the disk does not know yet. */
  let graves: EntryFacts[] = [];
  const hosts = new Map<number, string>();
  let epochUs = 0;
  let clock: ClockState = { lastUs: 0, generation: 0 };
  /** By the host's clock, as it was last told. */
  let nowMs = options.wallMs;
  let lastKept = origin;
  let trouble: DiskTrouble | undefined;

  const noteFile = openNoteFile(dir);
  const segmentBytes = Math.min(segmentBounds.most, Math.max(segmentBounds.least, maxBytes / segmentBounds.perSpool));
  const disk: SpoolDisk = createSpoolDisk({
    ...{ dir, segmentBytes, quarantineBytes: Math.max(segmentBytes, maxBytes / 4) },
    onLost(priority, lost) {
      tally.lose(priority, lost);
      noteLost(lost.batches, lost.samples);
    },
  });

  const turns = createDiskTurns(
    () => commit(),
    (thrown) => logger.error({ event: "spool_failed", code: "INTERNAL", err: thrown }),
  );

  /** Lets a batch go that is alive. */
  const doom = (facts: EntryFacts, fate: Fate): void => {
    const index = waiting.findIndex(({ entry }) => comparePositions(entry.id, facts) === 0);
    if (index >= 0) waiting.splice(index, 1);
    // One that is being written is marked once it is there.
    if (index < 0) disk.markGone(facts);
    if (index < 0 || writing.has(namePosition(facts))) {
      graves.push(facts);
      if (graves.length >= gravesAtOnce) turns.schedule();
      else turns.wakeWithin(waits.graves);
    }
    tally.remove(facts);
    onGone(facts, fate);
  };

  const bounds = createSpoolBounds({
    ...{ disk, tally, maxBytes, maxAge, logger, readBytes: segmentBytes, giveUp: doom },
    listWaiting: () => waiting.map(({ entry }) => entry),
  });

  function noteLost(batches: number, samples: number): void {
    counts.quarantined += batches;
    if (samples > 0) addCount(counts.dropped, "SPOOL_CORRUPT", samples);
    logger.error({ event: "batches_quarantined", code: "SPOOL_CORRUPT", batches, samples, dir });
  }

  const writeNote = (sync: boolean): void => {
    const { records, samples } = disk;
    const dropped = Object.fromEntries(counts.dropped);
    noteFile.write({ epochUs, clock, records, samples, dropped, quarantined: counts.quarantined }, { sync });
  };

  const ready = (some: readonly Waiting[]): void => {
    const unready = some.filter(({ isReady }) => !isReady);
    for (const each of unready) each.isReady = true;
    if (unready.length > 0) onReady(unready.map(({ entry }) => entry));
  };

  const findOldest = async (): Promise<void> => {
    for (const priority of priorities) {
      if (tally.findOldest(priority) !== undefined || tally.isEmpty(priority)) continue;
      const [onDisk] = await disk.read(priority, origin, last, 1);
      const first = onDisk ?? waiting.find(({ entry }) => entry.priority === priority)?.entry;
      if (first !== undefined) tally.setOldest(readFacts(first));
    }
  };

  const append = async (priority: Priority): Promise<void> => {
    const group = waiting.filter(({ entry }) => entry.priority === priority);
    if (group.length === 0) return;
    writing = new Set(group.map(({ entry }) => namePosition(entry.id)));
    try {
      await disk.append(
        priority,
        group.map(({ entry, clock: stamped }) => ({ ...entry, clock: stamped })),
      );
    } finally {
      writing = new Set();
    }
    const alive = new Set(waiting);
    for (const each of group) if (!alive.has(each)) disk.markGone(readFacts(each.entry));
    const written = new Set(group);
    waiting = waiting.filter((each) => !written.has(each));
    const { id } = group[group.length - 1].entry;
    if (comparePositions(id, lastKept) > 0) lastKept = id;
    ready(group.filter((each) => alive.has(each)));
  };

  const bury = async (): Promise<void> => {
    const some = graves;
    graves = [];
    try {
      await disk.writeGraves(some);
    } catch (thrown) {
      graves = [...some, ...graves];
      throw thrown;
    }
  };

  /** Makes do without the disk. */
  const hold = (fate: Fate): void => {
    bounds.trimWaiting(fate);
    ready(waiting);
    turns.wakeWithin(waits.retry);
  };

  const noteTrouble = (thrown: DiskTrouble): void => {
    if (thrown.code !== trouble?.code) logger.error({ event: "spool_disk_failed", code: thrown.code, dir }, thrown.message);
    trouble = thrown;
  };

  const commit = async (): Promise<void> => {
    let failed: DiskTrouble | undefined;
    const attempt = async (act: () => Promise<void>): Promise<void> => {
      try {
        await tryDisk(act);
      } catch (thrown) {
        if (!(thrown instanceof DiskTrouble)) throw thrown;
        failed = thrown;
        noteTrouble(thrown);
      }
    };
    // What frees space comes first, and what of it fails does not keep the rest from being done.
    await attempt(() => bounds.dropOld(nowMs));
    await attempt(bounds.makeRoom);
    await attempt(() => disk.sweep(() => writeNote(true)));
    for (const priority of priorities) await attempt(() => append(priority));
    if (graves.length > 0) await attempt(bury);
    await attempt(async () => writeNote(false));
    await attempt(findOldest);
    if (waiting.length > 0) hold(failed?.code ?? "SPOOL_DISK_FULL");
    else if (failed !== undefined) turns.wakeWithin(waits.retry);
    else if (trouble !== undefined) {
      trouble = undefined;
      logger.info({ event: "spool_disk_recovered", dir });
      options.onReadable();
    }
  };

  const read: Spool["read"] = (priority, after, upTo, bytes) =>
    turns.exclusively(async () => {
      if (turns.isClosed) return undefined;
      try {
        const entries = await tryDisk(() => disk.read(priority, after, upTo, bytes));
        return { entries, next: entries.at(-1)?.id };
      } catch (thrown) {
        if (!(thrown instanceof DiskTrouble)) throw thrown;
        noteTrouble(thrown);
        return undefined;
      }
    });

  const findOnDisk = async (position: Position): Promise<EntryFacts | undefined> => {
    const before = { epochUs: position.epochUs, sequence: position.sequence - 1 };
    for (const priority of priorities) {
      const [entry] = await disk.read(priority, before, position, 1);
      if (entry !== undefined) return readFacts(entry);
    }
    return undefined;
  };

  /** Goes on where the process before left off. */
  const inherit = (note: Note | undefined, highestEpochUs: number): void => {
    epochUs = Math.max(options.wallMs * 1000, (note?.epochUs ?? 0) + 1, highestEpochUs + 1);
    hosts.set(epochUs, host);
    lastKept = { epochUs, sequence: 0 };
    if (note === undefined) return;
    if (isLater(note.clock, clock)) clock = note.clock;
    counts.quarantined += note.quarantined;
    for (const [code, samples] of Object.entries(note.dropped)) addCount(counts.dropped, code, samples);
  };

  const load = async (): Promise<void> => {
    let highestEpochUs = 0;
    const note = noteFile.read();
    const found = await disk.load(({ id, samples, putMs, bytes, clock: stamped }, priority) => {
      const { epochUs: epoch, sequence } = id;
      const facts = { priority, epochUs: epoch, sequence, samples, putMs, size: bytes.length };
      tally.add(facts);
      hosts.set(epoch, id.host);
      highestEpochUs = Math.max(highestEpochUs, epoch);
      if (isLater(stamped, clock)) clock = stamped;
    });
    inherit(note, highestEpochUs);
    const batches = note === undefined ? found.damages : Math.max(0, note.records - found.records);
    const samples = note === undefined ? 0 : Math.max(0, note.samples - found.samples);
    if (batches > 0) noteLost(batches, samples);
  };

  const close = async (): Promise<{ batches: number; samples: number }> => {
    turns.close();
    await turns.exclusively(async () => {});
    const code = trouble?.code ?? "SPOOL_DISK_FULL";
    for (const { entry } of [...waiting]) doom(readFacts(entry), code);
    await turns.exclusively(async () => {
      await disk.close();
      await tryDisk(() => disk.sweep(() => writeNote(true))).catch(() => {});
      noteFile.close();
      await unlock();
    });
    return { batches: tally.sum("batches"), samples: tally.sum("samples") };
  };
  let closed: ReturnType<typeof close> | undefined;

  await load();
  const clockBefore = clock;
  // Durable before anything is sent: the epoch of the next process must be above this one.
  await tryDisk(async () => writeNote(true)).catch((thrown) => {
    if (!(thrown instanceof DiskTrouble) || thrown.code !== "SPOOL_DISK_FULL")
      throw thrown instanceof DiskTrouble ? thrown.cause : thrown;
    noteTrouble(thrown);
  });
  await turns.exclusively(commit);

  return {
    epochUs,
    clockBefore,
    limitBytes: maxBytes,
    get batches() {
      return tally.sum("batches");
    },
    get bytes() {
      return tally.sum("bytes");
    },
    get samples() {
      return tally.sum("samples");
    },
    get oldestPutMs() {
      const known = priorities.flatMap((priority) => tally.findOldest(priority)?.putMs ?? []);
      return known.length === 0 ? undefined : Math.min(...known);
    },
    put(parcel, after, wallMs) {
      clock = after;
      nowMs = wallMs;
      const entry = { ...parcel, putMs: wallMs };
      tally.add(readFacts(entry));
      waiting.push({ entry, clock: after, isReady: false });
      turns.schedule();
    },
    release: (entry, fate) => doom(readFacts(entry), fate),
    releaseByName(position, fate) {
      const inMemory = waiting.find(({ entry }) => comparePositions(entry.id, position) === 0);
      if (inMemory !== undefined) return doom(readFacts(inMemory.entry), fate);
      turns
        .exclusively(async () => {
          const facts = turns.isClosed ? undefined : await findOnDisk(position);
          if (facts !== undefined) doom(facts, fate);
        })
        .catch(() => {});
    },
    findHost: (epoch) => hosts.get(epoch),
    read,
    listHeld: () => waiting.filter(({ isReady }) => isReady).map(({ entry }) => entry),
    isHeld: (entry) => waiting.some((each) => each.entry === entry),
    lastKept: () => lastKept,
    async settle() {
      turns.schedule();
      await turns.exclusively(async () => {});
    },
    close() {
      closed ??= close();
      return closed;
    },
  };
}

import { mkdir } from "node:fs/promises";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "pino";
import type { ClockState } from "../clock.js";
import { addCount, type DeliveryCounts } from "./counts.js";
import { DiskTrouble, tryDisk } from "./disk-trouble.js";
import type { Chunk } from "./feed.js";
import type { Fate, Parcel, Priority } from "./parcel.js";
import { createSpoolDisk, type SpoolDisk } from "./spool-disk.js";
import { comparePositions, type Entry, type EntryFacts, namePosition, origin, type Position, readFacts } from "./spool-entry.js";
import { lockSpool } from "./spool-lock.js";
import { type Note, openNoteFile } from "./spool-note.js";

/** Bytes in memory of what the disk can't take. */
export const heldBytes = 4 * 2 ** 20;

/** Milliseconds: how long it may take to note on the disk that batches are gone, and between two tries with a failed disk. */
const waits = { graves: 1000, retry: 2000 } as const;
const gravesAtOnce = 512;

/** Bytes of a file of batches: small, because only whole files give their space back. */
const segmentBounds = { least: 2 ** 16, most: 2 ** 20, perSpool: 32 } as const;

const end: Position = { epochUs: Number.MAX_SAFE_INTEGER, sequence: 2 ** 48 };

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

interface Tally {
  batches: number;
  bytes: number;
  samples: number;
}

interface Waiting {
  readonly entry: Entry;
  readonly clock: ClockState;
  /** Whether it was made ready though the disk could not take it. */
  isReady: boolean;
}

const priorities = ["result", "telemetry"] as const;
/** What goes first when something must go. */
const sacrifices = ["telemetry", "result"] as const;

const isLater = (a: ClockState, b: ClockState): boolean =>
  a.generation === b.generation ? a.lastUs > b.lastUs : a.generation > b.generation;

const emptyTally = (): Tally => ({ batches: 0, bytes: 0, samples: 0 });

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
  /** All that is alive, on the disk or not. */
  const tallies: Record<Priority, Tally> = { result: emptyTally(), telemetry: emptyTally() };
  /** Not on the disk yet, in order. */
  let waiting: Waiting[] = [];
  /** Names of those that a write under way carries. */
  let writing: ReadonlySet<string> = new Set();
  /** Gone, but the disk does not know yet. */
  let graves: EntryFacts[] = [];
  /** The oldest that is alive, where it is known. */
  const oldest: Record<Priority, EntryFacts | undefined> = { result: undefined, telemetry: undefined };
  const hosts = new Map<number, string>();
  let epochUs = 0;
  let clock: ClockState = { lastUs: 0, generation: 0 };
  /** By the host's clock, as it was last told. */
  let nowMs = options.wallMs;
  let lastKept = origin;
  let isScheduled = false;
  let isClosed = false;
  let trouble: DiskTrouble | undefined;
  let timer: { readonly at: number; readonly handle: NodeJS.Timeout } | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let toldFullAt = Number.NEGATIVE_INFINITY;

  const noteFile = openNoteFile(dir);
  const segmentBytes = Math.min(segmentBounds.most, Math.max(segmentBounds.least, maxBytes / segmentBounds.perSpool));
  const disk: SpoolDisk = createSpoolDisk({
    ...{ dir, segmentBytes, quarantineBytes: Math.max(segmentBytes, maxBytes / 4) },
    onLost(priority, lost) {
      const total = tallies[priority];
      total.batches = Math.max(0, total.batches - lost.batches);
      total.samples = Math.max(0, total.samples - lost.samples);
      total.bytes = Math.max(0, total.bytes - lost.bytes);
      oldest[priority] = undefined;
      noteLost(lost.batches, lost.samples);
    },
  });

  /** One task at a time touches the disk. */
  const exclusively = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => {});
    return result;
  };

  const tally = ({ priority, samples, size }: EntryFacts, sign: 1 | -1): void => {
    const total = tallies[priority];
    // What was lost on the disk may still be acknowledged, if it had been sent before.
    total.batches = Math.max(0, total.batches + sign);
    total.bytes = Math.max(0, total.bytes + sign * size);
    total.samples = Math.max(0, total.samples + sign * samples);
  };

  const sum = (key: keyof Tally): number => tallies.result[key] + tallies.telemetry[key];

  /** Lets a batch go that is alive. */
  const doom = (facts: EntryFacts, fate: Fate): void => {
    const index = waiting.findIndex(({ entry }) => comparePositions(entry.id, facts) === 0);
    if (index >= 0) waiting.splice(index, 1);
    // One that is being written is marked once it is there.
    if (index < 0) disk.markGone(facts);
    if (index < 0 || writing.has(namePosition(facts))) {
      graves.push(facts);
      if (graves.length >= gravesAtOnce) schedule();
      else wakeWithin(waits.graves);
    }
    tally(facts, -1);
    const first = oldest[facts.priority];
    if (first !== undefined && comparePositions(first, facts) === 0) oldest[facts.priority] = undefined;
    onGone(facts, fate);
  };

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

  /** Gives up what is alive on the disk, in order, until `enough`. */
  const sacrifice = async (priority: Priority, fate: Fate, enough: (facts: EntryFacts) => boolean): Promise<void> => {
    for (let after = origin; ; ) {
      const entries = await disk.read(priority, after, end, segmentBytes);
      for (const facts of entries.map(readFacts)) {
        if (enough(facts)) return;
        doom(facts, fate);
        after = facts;
      }
      if (entries.length === 0) return;
    }
  };

  const sacrificeWaiting = (priority: Priority, fate: Fate, enough: () => boolean): void => {
    for (const { entry } of [...waiting]) {
      if (enough()) return;
      if (entry.priority === priority) doom(readFacts(entry), fate);
    }
  };

  const makeRoom = async (): Promise<void> => {
    const enough = (): boolean => sum("bytes") <= maxBytes;
    if (enough()) return;
    const before = sum("samples");
    for (const priority of sacrifices) {
      if (!enough()) await sacrifice(priority, "SPOOL_FULL", enough);
      sacrificeWaiting(priority, "SPOOL_FULL", enough);
    }
    if (performance.now() - toldFullAt < 60_000) return;
    toldFullAt = performance.now();
    logger.warn({ event: "spool_full", code: "SPOOL_FULL", samples: before - sum("samples"), limit: maxBytes });
  };

  const dropOld = async (): Promise<void> => {
    const earliestMs = nowMs - maxAge * 1000;
    for (const priority of priorities) {
      const first = oldest[priority];
      if (first === undefined || first.putMs >= earliestMs) continue;
      const before = sum("samples");
      await sacrifice(priority, "SPOOL_TOO_OLD", ({ putMs }) => putMs >= earliestMs);
      logger.warn({ event: "spool_too_old", code: "SPOOL_TOO_OLD", samples: before - sum("samples"), max_age_s: maxAge });
    }
  };

  const findOldest = async (): Promise<void> => {
    for (const priority of priorities) {
      if (oldest[priority] !== undefined || tallies[priority].batches === 0) continue;
      const [onDisk] = await disk.read(priority, origin, end, 1);
      const first = onDisk ?? waiting.find(({ entry }) => entry.priority === priority)?.entry;
      if (first !== undefined) oldest[priority] = readFacts(first);
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
    const last = group[group.length - 1].entry.id;
    if (comparePositions(last, lastKept) > 0) lastKept = last;
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
    const limit = Math.min(heldBytes, maxBytes);
    const enough = (): boolean => waiting.reduce((bytes, { entry }) => bytes + entry.bytes.length, 0) <= limit;
    if (!enough()) for (const priority of sacrifices) sacrificeWaiting(priority, fate, enough);
    ready(waiting);
    wakeWithin(waits.retry);
  };

  const noteTrouble = (thrown: DiskTrouble): void => {
    if (thrown.code !== trouble?.code) logger.error({ event: "spool_disk_failed", code: thrown.code, dir }, thrown.message);
    trouble = thrown;
  };

  const commit = async (): Promise<void> => {
    isScheduled = false;
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
    await attempt(dropOld);
    await attempt(makeRoom);
    await attempt(() => disk.sweep(() => writeNote(true)));
    for (const priority of priorities) await attempt(() => append(priority));
    if (graves.length > 0) await attempt(bury);
    await attempt(async () => writeNote(false));
    await attempt(findOldest);
    if (waiting.length > 0) hold(failed?.code ?? "SPOOL_DISK_FULL");
    else if (failed !== undefined) wakeWithin(waits.retry);
    else if (trouble !== undefined) {
      trouble = undefined;
      logger.info({ event: "spool_disk_recovered", dir });
      options.onReadable();
    }
  };

  function schedule(): void {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    exclusively(commit).catch((thrown: unknown) => logger.error({ event: "spool_failed", code: "INTERNAL", err: thrown }));
  }

  function wakeWithin(ms: number): void {
    const at = performance.now() + ms;
    if (isClosed || (timer !== undefined && timer.at <= at)) return;
    clearTimeout(timer?.handle);
    const handle = setTimeout(() => {
      timer = undefined;
      schedule();
    }, ms);
    handle.unref();
    timer = { at, handle };
  }

  const read: Spool["read"] = (priority, after, upTo, bytes) =>
    exclusively(async () => {
      if (isClosed) return undefined;
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
      tally(facts, 1);
      oldest[priority] ??= facts;
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
    schedule();
    isClosed = true;
    clearTimeout(timer?.handle);
    await exclusively(async () => {});
    const code = trouble?.code ?? "SPOOL_DISK_FULL";
    for (const { entry } of [...waiting]) doom(readFacts(entry), code);
    await exclusively(async () => {
      await disk.close();
      await tryDisk(() => disk.sweep(() => writeNote(true))).catch(() => {});
      noteFile.close();
      await unlock();
    });
    return { batches: sum("batches"), samples: sum("samples") };
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
  await exclusively(commit);

  return {
    epochUs,
    clockBefore,
    limitBytes: maxBytes,
    get batches() {
      return sum("batches");
    },
    get bytes() {
      return sum("bytes");
    },
    get samples() {
      return sum("samples");
    },
    get oldestPutMs() {
      const known = priorities.flatMap((priority) => oldest[priority]?.putMs ?? []);
      return known.length === 0 ? undefined : Math.min(...known);
    },
    put(parcel, after, wallMs) {
      clock = after;
      nowMs = wallMs;
      const entry = { ...parcel, putMs: wallMs };
      const facts = readFacts(entry);
      if (tallies[entry.priority].batches === 0) oldest[entry.priority] = facts;
      tally(facts, 1);
      waiting.push({ entry, clock: after, isReady: false });
      schedule();
    },
    release: (entry, fate) => doom(readFacts(entry), fate),
    releaseByName(position, fate) {
      const inMemory = waiting.find(({ entry }) => comparePositions(entry.id, position) === 0);
      if (inMemory !== undefined) return doom(readFacts(inMemory.entry), fate);
      exclusively(async () => {
        const facts = isClosed ? undefined : await findOnDisk(position);
        if (facts !== undefined) doom(facts, fate);
      }).catch(() => {});
    },
    findHost: (epoch) => hosts.get(epoch),
    read,
    listHeld: () => waiting.filter(({ isReady }) => isReady).map(({ entry }) => entry),
    isHeld: (entry) => waiting.some((each) => each.entry === entry),
    lastKept: () => lastKept,
    async settle() {
      schedule();
      await exclusively(async () => {});
    },
    close() {
      closed ??= close();
      return closed;
    },
  };
}

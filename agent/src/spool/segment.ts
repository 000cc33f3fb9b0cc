import { appendFile, type FileHandle, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { systemErrorCode } from "@fleetmark/shared/errors";
import type { Priority } from "../batch/encoded-batch.js";
import type { EntryFacts } from "../batch/entry.js";
import { createSequenceSet, type SequenceSet } from "../batch/sequence-set.js";
import { encodeRecord, encodeTombstone, parseFile, parseTombstones, type SpoolRecord } from "./record.js";

/**
 * A file of consecutive batches of one priority, written by one process. Records are appended in groups, each synced;
 * nothing is ever changed in place. What is gone is listed beside it, and the file goes when nothing in it is alive:
 *
 *   t-0001700000000000-000000000281.batches        record 281, record 282, record 284 …
 *   t-0001700000000000-000000000281.batches.gone   tombstone 282, tombstone 281 …
 */
export interface Segment {
  readonly path: string;
  readonly priority: Priority;
  readonly epochUs: number;
  /** The lowest and the highest sequence that it may hold. */
  readonly first: number;
  last: number;
  /** Bytes of the file. */
  size: number;
  /** Of all records, gone or not. */
  records: number;
  samples: number;
  /** Encoded bytes of the batches that are alive. */
  aliveBytes: number;
  readonly gone: SequenceSet;
  goneRecords: number;
  /** Open while records are appended. */
  handle: FileHandle | undefined;
}

const letters = { result: "r", telemetry: "t" } as const;
const namePattern = /^([rt])-(\d{16})-(\d{12})\.batches$/;

/** Files sort by priority, epoch and sequence. */
export function nameSegment(priority: Priority, epochUs: number, first: number): string {
  return `${letters[priority]}-${String(epochUs).padStart(16, "0")}-${String(first).padStart(12, "0")}.batches`;
}

export function parseSegmentName(name: string): { priority: Priority; epochUs: number; first: number } | undefined {
  const match = namePattern.exec(name);
  if (match === null) return undefined;
  return { priority: match[1] === "r" ? "result" : "telemetry", epochUs: Number(match[2]), first: Number(match[3]) };
}

export function createSegment(path: string, priority: Priority, epochUs: number, first: number): Segment {
  const counts = { last: first - 1, size: 0, records: 0, samples: 0, aliveBytes: 0, goneRecords: 0 };
  return { path, priority, epochUs, first, ...counts, gone: createSequenceSet(), handle: undefined };
}

const tombstonesPath = (segment: Segment): string => `${segment.path}.gone`;

function countRecords(segment: Segment, records: readonly SpoolRecord[]): void {
  for (const { id, samples, bytes } of records) {
    segment.records++;
    segment.samples += samples;
    segment.aliveBytes += bytes.length;
    segment.last = Math.max(segment.last, id.sequence);
  }
}

/** Appends records; they are on the disk when it resolves. If it can't, the file is as it was, but takes no more. */
export async function appendRecords(segment: Segment, records: readonly SpoolRecord[]): Promise<void> {
  const group = Buffer.concat(records.map(encodeRecord));
  try {
    segment.handle ??= await openNew(segment.path);
    await segment.handle.writeFile(group);
    await segment.handle.datasync();
  } catch (thrown) {
    // What a failed sync leaves in the file nobody knows, so it is cut off, and the next group goes to another file.
    await segment.handle?.truncate(segment.size).catch(() => {});
    await closeSegment(segment);
    throw thrown;
  }
  segment.size += group.length;
  countRecords(segment, records);
}

/** A new file is on the disk only when its folder is. */
async function openNew(path: string): Promise<FileHandle> {
  // What hosts measure is their operators' alone.
  const handle = await open(path, "ax", 0o600);
  const folder = await open(path.slice(0, path.lastIndexOf("/")));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return handle;
}

export async function closeSegment(segment: Segment): Promise<void> {
  const { handle } = segment;
  segment.handle = undefined;
  await handle?.close().catch(() => {});
}

/** Takes batches of the segment for gone. */
export function markGone(segment: Segment, { sequence, size }: EntryFacts): void {
  if (!segment.gone.add(sequence)) return;
  segment.goneRecords++;
  segment.aliveBytes -= size;
}

/** Puts on the disk which batches are gone. It need not reach it at once: what is sent again is stored once. */
export async function writeTombstones(segment: Segment, batches: readonly EntryFacts[]): Promise<void> {
  await appendFile(tombstonesPath(segment), Buffer.concat(batches.map(encodeTombstone)), { mode: 0o600 });
}

export async function removeSegment(segment: Segment): Promise<void> {
  await closeSegment(segment);
  await rm(segment.path, { force: true });
  await rm(tombstonesPath(segment), { force: true });
}

/** What should be there and is not. */
export interface Loss {
  readonly batches: number;
  readonly samples: number;
  readonly bytes: number;
}

/** What reading a segment gave. */
export interface SegmentContent {
  /** In order; those that are gone are left out. */
  readonly alive: SpoolRecord[];
  /** Parts of the file that are no record. */
  readonly damaged: Buffer[];
  /** Of what was alive. */
  readonly lost: Loss;
}

/**
 * Memory that files are read into, one after the other: a buffer for each would wait for the collection of garbage.
 */
export interface Scratch {
  bytes: Buffer;
}

/** Reads a file into the scratch; what is returned is good until the next is read. */
async function readInto(scratch: Scratch, path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    if (scratch.bytes.length < size) scratch.bytes = Buffer.allocUnsafeSlow(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await handle.read(scratch.bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return scratch.bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** A file that has vanished, or lies on a part of the disk that can't be read, has lost all that it held. */
async function orNothing(read: Promise<Buffer>): Promise<Buffer> {
  try {
    return await read;
  } catch (thrown) {
    if (["ENOENT", "EIO"].includes(systemErrorCode(thrown) ?? "")) return Buffer.alloc(0);
    throw thrown;
  }
}

function parse(segment: Segment, file: Buffer): { records: SpoolRecord[]; damaged: Buffer[] } {
  const { records, damaged } = parseFile(file);
  return { records: records.filter(({ id }) => id.epochUs === segment.epochUs && id.sequence >= segment.first), damaged };
}

/** Reads a segment that is known. Its records' bytes are good until the scratch is used again. */
export async function readSegment(segment: Segment, scratch: Scratch): Promise<SegmentContent> {
  const file = await orNothing(readInto(scratch, segment.path));
  const { records, damaged } = parse(segment, file.subarray(0, segment.size));
  const alive = records.filter(({ id }) => !segment.gone.has(id.sequence));
  const sum = (pick: (record: SpoolRecord) => number, some: readonly SpoolRecord[]): number =>
    some.reduce((total, record) => total + pick(record), 0);
  const lost = {
    batches: Math.max(0, segment.records - segment.goneRecords - alive.length),
    samples: Math.max(0, segment.samples - sum(({ samples }) => samples, records)),
    bytes: Math.max(0, segment.aliveBytes - sum(({ bytes }) => bytes.length, alive)),
  };
  return { alive, damaged, lost };
}

/**
 * Takes over a segment that an earlier process wrote. Returns too what is listed as gone but is not in the file. The
 * records' bytes are good until the scratch is used again.
 */
export async function loadSegment(
  segment: Segment,
  scratch: Scratch,
): Promise<{ records: SpoolRecord[]; alive: SpoolRecord[]; damaged: Buffer[]; missing: { batches: number; samples: number } }> {
  const file = await orNothing(readInto(scratch, segment.path));
  const { records, damaged } = parse(segment, file);
  segment.size = file.length;
  countRecords(segment, records);
  const bySequence = new Map(records.map((record) => [record.id.sequence, record]));
  const missing = { batches: 0, samples: 0 };
  for (const { sequence, samples } of parseTombstones(await orNothing(readFile(tombstonesPath(segment))))) {
    const record = bySequence.get(sequence);
    if (record !== undefined) {
      const size = record.bytes.length;
      markGone(segment, { priority: segment.priority, epochUs: segment.epochUs, sequence, samples, size, putMs: 0 });
    } else if (segment.gone.add(sequence)) {
      missing.batches++;
      missing.samples += samples;
    }
  }
  return { records, alive: records.filter(({ id }) => !segment.gone.has(id.sequence)), damaged, missing };
}

/** What can't be read any more is gone too: a late acknowledgement of it must not count against what is left. */
function markRestGone(segment: Segment, alive: readonly SpoolRecord[]): void {
  const sequences = new Set(alive.map(({ id }) => id.sequence));
  for (let sequence = segment.first; sequence <= segment.last; sequence++) {
    if (!sequences.has(sequence)) segment.gone.add(sequence);
  }
}

/** Counts on what can be read of a damaged segment alone, though its file stays as it is. */
export function acceptLoss(segment: Segment, { alive, lost }: SegmentContent): void {
  segment.records -= lost.batches;
  segment.samples -= lost.samples;
  segment.aliveBytes -= lost.bytes;
  markRestGone(segment, alive);
}

export const rewriteSuffix = ".new";

/** Writes a damaged segment anew with what can be read of it, so that the damage is met once. */
export async function rewriteSegment(segment: Segment, alive: readonly SpoolRecord[]): Promise<void> {
  await closeSegment(segment);
  const bytes = Buffer.concat(alive.map(encodeRecord));
  const fresh = `${segment.path}${rewriteSuffix}`;
  await writeFile(fresh, bytes, { flush: true, mode: 0o600 });
  await rename(fresh, segment.path);
  await rm(tombstonesPath(segment), { force: true });
  Object.assign(segment, { size: bytes.length, records: 0, samples: 0, aliveBytes: 0, goneRecords: 0 });
  countRecords(segment, alive);
  markRestGone(segment, alive);
}

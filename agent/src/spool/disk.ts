import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { type Priority, priorities } from "../batch/encoded-batch.js";
import { comparePositions, type Entry, type EntryFacts, type Position } from "../batch/entry.js";
import { quarantineParts } from "./quarantine.js";
import type { SpoolRecord } from "./record.js";
import {
  acceptLoss,
  appendRecords,
  closeSegment,
  createSegment,
  type Loss,
  loadSegment,
  markGone,
  nameSegment,
  parseSegmentName,
  readSegment,
  removeSegment,
  rewriteSegment,
  rewriteSuffix,
  type Scratch,
  type Segment,
  type SegmentContent,
  writeTombstones,
} from "./segment.js";

export interface DiskOptions {
  readonly dir: string;
  /** Bytes after which a file is followed by another. */
  readonly segmentBytes: number;
  /** Bound of the quarantine. */
  readonly quarantineBytes: number;
  /** Told when batches that were there can't be read any more. */
  onLost(priority: Priority, lost: Loss): void;
}

/**
 * The spool's batches on the disk: for each priority a chain of segments, which are deleted whole. One call at a
 * time.
 */
export interface Disk {
  readonly options: DiskOptions;
  readonly chains: Readonly<Record<Priority, Segment[]>>;
  /** The file that was read last: it is mostly the one that is read next. */
  cached: { readonly segment: Segment; readonly size: number; readonly content: SegmentContent } | undefined;
  readonly scratch: Scratch;
}

export function createDisk(options: DiskOptions): Disk {
  return { options, chains: { result: [], telemetry: [] }, cached: undefined, scratch: { bytes: Buffer.alloc(0) } };
}

/** What files hold, gone or not, and those batches that are known to have been in them. */
export interface FileTotals {
  readonly records: number;
  readonly samples: number;
}

function listSegments({ chains }: Disk): Segment[] {
  return priorities.flatMap((priority) => chains[priority]);
}

/** Counts what the files hold, gone or not. */
export function sumFiles(disk: Disk): FileTotals {
  const totals = { records: 0, samples: 0 };
  for (const { records, samples } of listSegments(disk)) {
    totals.records += records;
    totals.samples += samples;
  }
  return totals;
}

/** Returns the index of the last segment that begins at or before a position, or -1. */
function findIndex(chain: readonly Segment[], { epochUs, sequence }: Position): number {
  let [low, high] = [0, chain.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePositions({ epochUs: chain[middle].epochUs, sequence: chain[middle].first }, { epochUs, sequence }) <= 0)
      low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Finds the segment that holds a batch, gone or not. Where that was swept, none of its neighbours is meant. */
function findSegment({ chains }: Disk, batch: EntryFacts): Segment | undefined {
  const chain = chains[batch.priority];
  const segment = chain[findIndex(chain, batch)];
  return segment !== undefined && segment.epochUs === batch.epochUs && batch.sequence <= segment.last ? segment : undefined;
}

function forgetSegment(disk: Disk, segment: Segment): void {
  const chain = disk.chains[segment.priority];
  chain.splice(chain.indexOf(segment), 1);
  if (disk.cached?.segment === segment) disk.cached = undefined;
}

async function setAside(
  { options: { dir, quarantineBytes } }: Disk,
  segment: Segment,
  damaged: readonly Buffer[],
): Promise<void> {
  await quarantineParts(dir, basename(segment.path), damaged, quarantineBytes);
}

/** What was found when the files were read. */
export interface Found extends FileTotals {
  /** Parts of files that could not be read. */
  readonly damages: number;
}

async function takeOver(disk: Disk, segment: Segment, onRecord: (record: SpoolRecord) => void): Promise<Found> {
  const { records, alive, damaged, missing } = await loadSegment(segment, disk.scratch);
  const samples = records.reduce((sum, record) => sum + record.samples, 0) + missing.samples;
  const found = { records: records.length + missing.batches, samples, damages: damaged.length };
  for (const record of alive) onRecord(record);
  if (damaged.length > 0) {
    await setAside(disk, segment, damaged);
    // On a full disk the file stays as it is, and is mended by a later process.
    await rewriteSegment(segment, alive).catch(() => {});
  }
  return found;
}

/** Takes over what earlier processes left, in order; damaged parts go to the quarantine. */
export async function loadDisk(disk: Disk, onRecord: (record: SpoolRecord, priority: Priority) => void): Promise<Found> {
  const { dir } = disk.options;
  const found = { records: 0, samples: 0, damages: 0 };
  await makeFolder(dir, 0o700);
  for (const name of (await readdir(dir)).sort()) {
    // A rewriting that a process did not end. Nothing else is ours to remove.
    const rewritten = name.endsWith(rewriteSuffix) ? parseSegmentName(name.slice(0, -rewriteSuffix.length)) : undefined;
    if (rewritten !== undefined) await rm(join(dir, name), { force: true });
    const facts = parseSegmentName(name);
    if (facts === undefined) continue;
    const segment = createSegment(join(dir, name), facts.priority, facts.epochUs, facts.first);
    disk.chains[facts.priority].push(segment);
    const each = await takeOver(disk, segment, (record) => onRecord(record, facts.priority));
    found.records += each.records;
    found.samples += each.samples;
    found.damages += each.damages;
  }
  return found;
}

/** Appends batches of one process; they are on the disk when it resolves. If it throws, none of them is. */
export async function appendToDisk(disk: Disk, priority: Priority, records: readonly SpoolRecord[]): Promise<void> {
  const { dir, segmentBytes } = disk.options;
  const chain = disk.chains[priority];
  const { epochUs, sequence } = records[0].id;
  let segment = chain.at(-1);
  if (segment?.handle === undefined || segment.size >= segmentBytes) {
    if (segment !== undefined) await closeSegment(segment);
    segment = createSegment(join(dir, nameSegment(priority, epochUs, sequence)), priority, epochUs, sequence);
    chain.push(segment);
  }
  try {
    await appendRecords(segment, records);
  } catch (thrown) {
    if (segment.records === 0) {
      forgetSegment(disk, segment);
      await removeSegment(segment).catch(() => {});
    }
    throw thrown;
  }
}

/** From now on the batch is not read any more. */
export function markGoneOnDisk(disk: Disk, batch: EntryFacts): void {
  const segment = findSegment(disk, batch);
  if (segment !== undefined) markGone(segment, batch);
}

/** Whether nothing in it is alive and nothing more is written into it. */
function isDead(segment: Segment): boolean {
  return segment.handle === undefined && segment.goneRecords >= segment.records;
}

/** Puts on the disk that batches are gone. */
export async function buryBatches(disk: Disk, batches: readonly EntryFacts[]): Promise<void> {
  const bySegment = new Map<Segment, EntryFacts[]>();
  for (const batch of batches) {
    const segment = findSegment(disk, batch);
    // A file that goes whole takes its list with it.
    if (segment === undefined || isDead(segment)) continue;
    const some = bySegment.get(segment);
    if (some === undefined) bySegment.set(segment, [batch]);
    else some.push(batch);
  }
  for (const [segment, some] of bySegment) await writeTombstones(segment, some);
}

/** Deletes the files in which nothing is alive, after `writeLedger` has put on the disk that they go. */
export async function sweepDisk(disk: Disk, writeLedger: () => void): Promise<void> {
  const dead = listSegments(disk).filter(isDead);
  if (dead.length === 0) return;
  for (const segment of dead) forgetSegment(disk, segment);
  writeLedger();
  for (const segment of dead) await removeSegment(segment);
}

async function readContent(disk: Disk, segment: Segment): Promise<SegmentContent> {
  if (disk.cached?.segment === segment && disk.cached.size === segment.size) return disk.cached.content;
  disk.cached = undefined;
  const content = await readSegment(segment, disk.scratch);
  if (content.lost.batches > 0) {
    await setAside(disk, segment, content.damaged);
    // On a full disk the file stays as it is; what is lost of it is counted once all the same.
    await rewriteSegment(segment, content.alive).catch(() => acceptLoss(segment, content));
    disk.options.onLost(segment.priority, content.lost);
  }
  disk.cached = { segment, size: segment.size, content };
  return content;
}

/** The bytes outlive the scratch. */
function toEntry({ id, bytes, samples, putMs }: SpoolRecord, priority: Priority): Entry {
  return { id, bytes: Buffer.from(bytes), samples, putMs, priority };
}

/**
 * Reads what is alive after one position and not after another: at least one batch if there is one, then up to
 * `bytes`.
 */
export async function readDisk(disk: Disk, priority: Priority, after: Position, upTo: Position, bytes: number): Promise<Entry[]> {
  const chain = [...disk.chains[priority]];
  const entries: Entry[] = [];
  let read = 0;
  for (let index = Math.max(0, findIndex(chain, after)); index < chain.length; index++) {
    const segment = chain[index];
    if (comparePositions({ epochUs: segment.epochUs, sequence: segment.first }, upTo) > 0) break;
    for (const record of (await readContent(disk, segment)).alive) {
      if (comparePositions(record.id, after) <= 0 || segment.gone.has(record.id.sequence)) continue;
      if (comparePositions(record.id, upTo) > 0 || (read >= bytes && entries.length > 0)) return entries;
      entries.push(toEntry(record, priority));
      read += record.bytes.length;
    }
  }
  return entries;
}

/** Looks for what each file should hold, in the folder that is there now; what is missing is lost. */
export async function recountDisk(disk: Disk): Promise<void> {
  disk.cached = undefined;
  for (const segment of listSegments(disk)) await readContent(disk, segment);
}

export async function closeDisk(disk: Disk): Promise<void> {
  for (const segment of listSegments(disk)) await closeSegment(segment);
}

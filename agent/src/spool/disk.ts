import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Priority } from "./encoded-batch.js";
import { comparePositions, type Entry, type EntryFacts, type Position, type SpoolRecord } from "./entry.js";
import {
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
  type Scratch,
  type Segment,
  type SegmentContent,
  writeGraves,
} from "./segment.js";

/** What was found when the files were read. */
export interface Found {
  /** Batches in the files, gone or not, and those that are known to have been. */
  readonly records: number;
  readonly samples: number;
  /** Parts of files that could not be read. */
  readonly damages: number;
}

/** The spool's batches on the disk: for each priority a chain of files, which are deleted whole. One call at a time. */
export interface SpoolDisk {
  /** What the files hold, gone or not. */
  readonly records: number;
  readonly samples: number;
  /** Takes over what earlier processes left, in order; damaged parts go to the quarantine. */
  load(onRecord: (record: SpoolRecord, priority: Priority) => void): Promise<Found>;
  /** Appends batches of one process; they are on the disk when it resolves. If it throws, none of them is. */
  append(priority: Priority, records: readonly SpoolRecord[]): Promise<void>;
  /** From now on the batch is not read any more. */
  markGone(batch: EntryFacts): void;
  /** Puts on the disk that batches are gone. */
  writeGraves(batches: readonly EntryFacts[]): Promise<void>;
  /** Deletes the files in which nothing is alive, after `note` has put on the disk that they go. */
  sweep(note: () => void): Promise<void>;
  /** Reads what is alive after one position and not after another: at least one batch if there is one, then up to `bytes`. */
  read(priority: Priority, after: Position, upTo: Position, bytes: number): Promise<Entry[]>;
  close(): Promise<void>;
}

export interface SpoolDiskOptions {
  readonly dir: string;
  /** Bytes after which a file is followed by another. */
  readonly segmentBytes: number;
  /** Bound of the quarantine. */
  readonly quarantineBytes: number;
  /** Told when batches that were there can't be read any more. */
  onLost(priority: Priority, lost: Loss): void;
}

const quarantineName = "quarantine";

function acceptLoss(segment: Segment, lost: Loss): void {
  segment.records -= lost.batches;
  segment.samples -= lost.samples;
  segment.aliveBytes -= lost.bytes;
}

/** Keeps what is no batch, and removes what was kept first where that gets too much. */
async function quarantine(dir: string, name: string, parts: readonly Buffer[], maxBytes: number): Promise<void> {
  const folder = join(dir, quarantineName);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${Date.now()}-${name}`), Buffer.concat(parts).subarray(0, maxBytes));
  const kept = (await readdir(folder)).sort().reverse();
  let total = 0;
  for (const each of kept) {
    total += (await stat(join(folder, each))).size;
    if (total > maxBytes) await rm(join(folder, each));
  }
}

export function createSpoolDisk({ dir, segmentBytes, quarantineBytes, onLost }: SpoolDiskOptions): SpoolDisk {
  const chains: Record<Priority, Segment[]> = { result: [], telemetry: [] };
  /** The file that was read last: it is mostly the one that is read next. */
  let cached: { segment: Segment; size: number; content: SegmentContent } | undefined;
  const scratch: Scratch = { bytes: Buffer.alloc(0) };

  const all = (): Segment[] => [...chains.result, ...chains.telemetry];

  /** Returns the index of the last segment that begins at or before a position, or -1. */
  const findIndex = (chain: readonly Segment[], { epochUs, sequence }: Position): number => {
    let [low, high] = [0, chain.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePositions({ epochUs: chain[middle].epochUs, sequence: chain[middle].first }, { epochUs, sequence }) <= 0)
        low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  const forget = (segment: Segment): void => {
    const chain = chains[segment.priority];
    chain.splice(chain.indexOf(segment), 1);
    if (cached?.segment === segment) cached = undefined;
  };

  /** Keeps what can't be read where that is possible: it is lost either way. */
  const setAside = async (segment: Segment, damaged: readonly Buffer[]): Promise<void> => {
    const parts = damaged.filter((part) => part.some((byte) => byte !== 0));
    if (parts.length > 0) await quarantine(dir, basename(segment.path), parts, quarantineBytes).catch(() => {});
  };

  const takeOver = async (segment: Segment, onRecord: (record: SpoolRecord) => void): Promise<Found> => {
    const { records, alive, damaged, missing } = await loadSegment(segment, scratch);
    const samples = records.reduce((sum, record) => sum + record.samples, 0) + missing.samples;
    const found = { records: records.length + missing.batches, samples, damages: damaged.length };
    for (const record of alive) onRecord(record);
    if (damaged.length > 0) {
      await setAside(segment, damaged);
      // On a full disk the file stays as it is, and is mended by a later process.
      await rewriteSegment(segment, alive).catch(() => {});
    }
    return found;
  };

  const readContent = async (segment: Segment): Promise<SegmentContent> => {
    if (cached?.segment === segment && cached.size === segment.size) return cached.content;
    cached = undefined;
    const content = await readSegment(segment, scratch);
    if (content.lost.batches > 0) {
      await setAside(segment, content.damaged);
      // On a full disk the file stays as it is; what is lost of it is counted once all the same.
      await rewriteSegment(segment, content.alive).catch(() => acceptLoss(segment, content.lost));
      onLost(segment.priority, content.lost);
    }
    cached = { segment, size: segment.size, content };
    return content;
  };

  /** The bytes outlive the scratch. */
  const toEntry = ({ id, bytes, samples, putMs }: SpoolRecord, priority: Priority): Entry => ({
    ...{ id, bytes: Buffer.from(bytes), samples, putMs, priority },
  });

  return {
    get records() {
      return all().reduce((sum, segment) => sum + segment.records, 0);
    },
    get samples() {
      return all().reduce((sum, segment) => sum + segment.samples, 0);
    },
    async load(onRecord) {
      const found = { records: 0, samples: 0, damages: 0 };
      await mkdir(dir, { recursive: true });
      for (const name of (await readdir(dir)).sort()) {
        if (name.endsWith(".new")) await rm(join(dir, name), { force: true });
        const facts = parseSegmentName(name);
        if (facts === undefined) continue;
        const segment = createSegment(join(dir, name), facts.priority, facts.epochUs, facts.first);
        chains[facts.priority].push(segment);
        const each = await takeOver(segment, (record) => onRecord(record, facts.priority));
        found.records += each.records;
        found.samples += each.samples;
        found.damages += each.damages;
      }
      return found;
    },
    async append(priority, records) {
      const chain = chains[priority];
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
          forget(segment);
          await removeSegment(segment).catch(() => {});
        }
        throw thrown;
      }
    },
    markGone(batch) {
      const chain = chains[batch.priority];
      const segment = chain[findIndex(chain, batch)];
      if (segment !== undefined) markGone(segment, batch);
    },
    async writeGraves(batches) {
      const bySegment = new Map<Segment, EntryFacts[]>();
      for (const batch of batches) {
        const chain = chains[batch.priority];
        const segment = chain[findIndex(chain, batch)];
        // A file that goes whole takes its list with it.
        if (segment === undefined || (segment.handle === undefined && segment.goneRecords >= segment.records)) continue;
        const some = bySegment.get(segment);
        if (some === undefined) bySegment.set(segment, [batch]);
        else some.push(batch);
      }
      for (const [segment, some] of bySegment) await writeGraves(segment, some);
    },
    async sweep(note) {
      const dead = all().filter((segment) => segment.handle === undefined && segment.goneRecords >= segment.records);
      if (dead.length === 0) return;
      for (const segment of dead) forget(segment);
      note();
      for (const segment of dead) await removeSegment(segment);
    },
    async read(priority, after, upTo, bytes) {
      const chain = [...chains[priority]];
      const entries: Entry[] = [];
      let read = 0;
      for (let index = Math.max(0, findIndex(chain, after)); index < chain.length; index++) {
        const segment = chain[index];
        if (comparePositions({ epochUs: segment.epochUs, sequence: segment.first }, upTo) > 0) break;
        for (const record of (await readContent(segment)).alive) {
          if (comparePositions(record.id, after) <= 0 || segment.gone.has(record.id.sequence)) continue;
          if (comparePositions(record.id, upTo) > 0 || (read >= bytes && entries.length > 0)) return entries;
          entries.push(toEntry(record, priority));
          read += record.bytes.length;
        }
      }
      return entries;
    },
    async close() {
      for (const segment of all()) await closeSegment(segment);
    },
  };
}

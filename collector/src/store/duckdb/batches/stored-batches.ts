import { type Batch, type BatchId, batchKey } from "@fleetmark/shared/model/batch";
import { addSequence, hasSequence, type SequenceRanges } from "./sequence-ranges.js";

/** Batches that are stored, by host and epoch. */
export type StoredBatches = Map<string, SequenceRanges>;

function epochKey({ host, epochUs }: Pick<BatchId, "host" | "epochUs">): string {
  return `${epochUs} ${host}`;
}

/** Leaves out batches that are stored already, and those that come twice. */
export function selectNew(stored: StoredBatches, batches: readonly Batch[]): Batch[] {
  const inGroup = new Set<string>();
  return batches.filter(({ id }) => {
    const key = batchKey(id);
    if (inGroup.has(key) || hasSequence(stored.get(epochKey(id)) ?? [], id.sequence)) return false;
    inGroup.add(key);
    return true;
  });
}

function rangesOf(stored: StoredBatches, key: string): SequenceRanges {
  const ranges = stored.get(key) ?? [];
  stored.set(key, ranges);
  return ranges;
}

/** Records a batch id as stored. */
export function rememberBatch(stored: StoredBatches, id: BatchId): void {
  addSequence(rangesOf(stored, epochKey(id)), id.sequence);
}

/** Records stored sequences as the data file lists them: ranges in rising order. */
export function rememberRange(stored: StoredBatches, host: string, epochUs: number, range: [number, number]): void {
  rangesOf(stored, epochKey({ host, epochUs })).push(range);
}

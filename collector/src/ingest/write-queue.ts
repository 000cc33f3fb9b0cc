import { type Batch, countSamples } from "@fleetmark/shared/model/batch";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";
import { createGate, type Gate } from "@fleetmark/shared/waiting";

/** A batch that waits for the store. */
export interface Queued {
  readonly batch: Batch;
  readonly records: readonly KindedRecord[];
  readonly samples: number;
  readonly weight: number;
  readonly onCommitted: (() => void) | undefined;
  readonly onConflict: (() => void) | undefined;
}

/** What waits for the store, in the order in which it came. */
export interface WriteQueue {
  queued: Queued[];
  bytes: number;
  samples: number;
  /** Shut while the queue is full. */
  readonly room: Gate;
}

/** Encoded bytes in the queue at which the streams are asked to pause; decoded they take about five times as much. */
const queueBytes = 16 * 2 ** 20;
/** What a queued batch weighs over its encoded bytes, and what each of its samples weighs at least: a number does. */
const batchOverheadBytes = 1024;
const sampleBytes = 10;
/** The most samples that one transaction takes: laying them into rows holds up the event loop for some 20 ms. */
const groupSamples = 50_000;

export function createWriteQueue(): WriteQueue {
  return { queued: [], bytes: 0, samples: 0, room: createGate() };
}

function isFull({ bytes }: WriteQueue): boolean {
  return bytes >= queueBytes;
}

/** Whether there is a whole transaction's worth. */
export function hasGroup(queue: WriteQueue): boolean {
  return queue.samples >= groupSamples || isFull(queue);
}

export function addToQueue(queue: WriteQueue, entry: Omit<Queued, "samples" | "weight">, encodedBytes: number): void {
  const samples = countSamples(entry.batch);
  const weight = Math.max(encodedBytes, sampleBytes * samples) + batchOverheadBytes;
  queue.queued.push({ ...entry, samples, weight });
  queue.bytes += weight;
  queue.samples += samples;
  if (isFull(queue)) queue.room.shut();
}

/** Returns what the next transaction takes: at least one batch. It stays in the queue until it is removed. */
export function selectGroup({ queued }: WriteQueue): Queued[] {
  let samples = 0;
  const next = queued.findIndex((entry) => {
    samples += entry.samples;
    return samples > groupSamples;
  });
  return queued.slice(0, next === -1 ? queued.length : Math.max(1, next));
}

/** Removes what was committed, from the front. */
export function removeGroup(queue: WriteQueue, group: readonly Queued[]): void {
  queue.queued = queue.queued.slice(group.length);
  for (const { weight, samples } of group) {
    queue.bytes -= weight;
    queue.samples -= samples;
  }
  if (!isFull(queue)) queue.room.open();
}

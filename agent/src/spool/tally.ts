import type { Priority } from "./encoded-batch.js";
import { comparePositions, type EntryFacts } from "./entry.js";
import type { Loss } from "./segment.js";

export const priorities = ["result", "telemetry"] as const satisfies readonly Priority[];

/** How much is alive in a spool, on the disk or not, and what of it is the oldest. */
export interface SpoolTally {
  sum(key: keyof Loss): number;
  isEmpty(priority: Priority): boolean;
  add(batch: EntryFacts): void;
  remove(batch: EntryFacts): void;
  /** What was lost on the disk, of which no more is known. */
  lose(priority: Priority, lost: Loss): void;
  /** The oldest batch of a priority; undefined when there is none, or when it has gone and its follower was not told yet. */
  findOldest(priority: Priority): EntryFacts | undefined;
  setOldest(batch: EntryFacts): void;
}

export function createSpoolTally(): SpoolTally {
  const amounts: Record<Priority, Record<keyof Loss, number>> = {
    result: { batches: 0, bytes: 0, samples: 0 },
    telemetry: { batches: 0, bytes: 0, samples: 0 },
  };
  const oldest: Record<Priority, EntryFacts | undefined> = { result: undefined, telemetry: undefined };

  const subtract = (priority: Priority, { batches, bytes, samples }: Loss): void => {
    const amount = amounts[priority];
    // What was lost on the disk may still be acknowledged, if it had been sent before.
    amount.batches = Math.max(0, amount.batches - batches);
    amount.bytes = Math.max(0, amount.bytes - bytes);
    amount.samples = Math.max(0, amount.samples - samples);
  };

  return {
    sum: (key) => amounts.result[key] + amounts.telemetry[key],
    isEmpty: (priority) => amounts[priority].batches === 0,
    add(batch) {
      const amount = amounts[batch.priority];
      if (amount.batches === 0) oldest[batch.priority] = batch;
      amount.batches++;
      amount.bytes += batch.size;
      amount.samples += batch.samples;
    },
    remove(batch) {
      subtract(batch.priority, { batches: 1, bytes: batch.size, samples: batch.samples });
      const first = oldest[batch.priority];
      if (first !== undefined && comparePositions(first, batch) === 0) oldest[batch.priority] = undefined;
    },
    lose(priority, lost) {
      subtract(priority, lost);
      oldest[priority] = undefined;
    },
    findOldest: (priority) => oldest[priority],
    setOldest(batch) {
      oldest[batch.priority] = batch;
    },
  };
}

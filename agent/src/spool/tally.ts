import { type Priority, priorities } from "../batch/encoded-batch.js";
import { comparePositions, type EntryFacts } from "../batch/entry.js";
import type { Loss } from "./segment.js";

type Amounts = Record<keyof Loss, number>;

/** How much is alive in a spool, on the disk or not, and what of it is the oldest. */
export interface Tally {
  readonly amounts: Readonly<Record<Priority, Amounts>>;
  /** The oldest batch; undefined where there is none, or where it has gone and its follower is not known yet. */
  readonly oldest: Record<Priority, EntryFacts | undefined>;
}

export function createTally(): Tally {
  return {
    amounts: { result: { batches: 0, bytes: 0, samples: 0 }, telemetry: { batches: 0, bytes: 0, samples: 0 } },
    oldest: { result: undefined, telemetry: undefined },
  };
}

export function sumTally({ amounts }: Tally, key: keyof Loss): number {
  return amounts.result[key] + amounts.telemetry[key];
}

/**
 * Milliseconds since the Unix epoch when the oldest batch was put; undefined when that is not known, or nothing is
 * there.
 */
export function findOldestPutMs({ oldest }: Tally): number | undefined {
  const known = priorities.flatMap((priority) => oldest[priority]?.putMs ?? []);
  return known.length === 0 ? undefined : Math.min(...known);
}

export function addToTally({ amounts, oldest }: Tally, batch: EntryFacts): void {
  const amount = amounts[batch.priority];
  if (amount.batches === 0) oldest[batch.priority] = batch;
  amount.batches++;
  amount.bytes += batch.size;
  amount.samples += batch.samples;
}

function subtract(amount: Amounts, { batches, bytes, samples }: Loss): void {
  // What was lost on the disk may still be acknowledged, if it had been sent before.
  amount.batches = Math.max(0, amount.batches - batches);
  amount.bytes = Math.max(0, amount.bytes - bytes);
  amount.samples = Math.max(0, amount.samples - samples);
}

export function removeFromTally({ amounts, oldest }: Tally, batch: EntryFacts): void {
  subtract(amounts[batch.priority], { batches: 1, bytes: batch.size, samples: batch.samples });
  const first = oldest[batch.priority];
  if (first !== undefined && comparePositions(first, batch) === 0) oldest[batch.priority] = undefined;
}

/** Takes off what was lost on the disk, of which no more is known. */
export function takeOffLoss({ amounts, oldest }: Tally, priority: Priority, lost: Loss): void {
  subtract(amounts[priority], lost);
  oldest[priority] = undefined;
}

import { readClock } from "../../machine/clock.js";
import {
  type Conditions,
  compareSnapshots,
  type Exposure,
  lookBetween,
  readConditions,
  type Snapshot,
  takeSnapshot,
  type WindowSeen,
} from "../../machine/disturbance.js";
import type { Job } from "../executor.js";

/** Between two looks at the machine, in seconds: ten of the kernel's ticks, the grain of its CPU accounting. */
const windowS = 0.1;

export interface SampledWindows {
  /** Samples taken. */
  readonly count: number;
  readonly timedS: number;
  readonly cpuS: number;
  readonly exposure: Exposure;
  readonly conditions: Conditions;
  readonly windows: readonly WindowSeen[];
}

/** By how much the time limit may be passed for the sake of the fewest samples that say something. */
const patience = 2.5;

/**
 * Takes samples until there are enough or the time is over, in windows of a tenth of a second with a look at the machine
 * between them, never within a sample.
 * @param take takes sample i and stores it
 */
export async function sampleInWindows(
  take: (i: number) => undefined | Promise<undefined>,
  job: Pick<Job, "samples" | "fewestSamples" | "limitS" | "core">,
): Promise<SampledWindows> {
  const first = takeSnapshot(job.core);
  const isDue = (count: number): boolean => {
    const elapsedS = readClock() - first.timeS;
    return count >= job.samples || elapsedS >= (count < job.fewestSamples ? patience : 1) * job.limitS;
  };
  let before: Snapshot = first;
  const windows: WindowSeen[] = [];
  let count = 0;
  while (count === 0 || !isDue(count)) {
    const end = readClock() + windowS;
    do {
      const pending = take(count);
      if (pending !== undefined) await pending;
      count++;
    } while (!isDue(count) && readClock() < end);
    const after = takeSnapshot(job.core);
    windows.push(lookBetween(before, after));
    before = after;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const last = takeSnapshot(job.core);
  const exposure = compareSnapshots(first, last);
  return {
    count,
    timedS: last.timeS - first.timeS,
    cpuS: last.ownS - first.ownS,
    exposure,
    conditions: readConditions(first, last),
    windows,
  };
}

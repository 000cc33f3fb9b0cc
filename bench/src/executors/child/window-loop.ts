import { readClock } from "../../machine/clock.js";
import { addWindow, beginWatch, summarizeWatch, type WatchSummary } from "../../machine/watch.js";
import type { Job } from "../executor.js";
import { lookAround } from "./look.js";

/** Between two looks at the machine, in seconds: ten of the kernel's ticks, the grain of its CPU accounting. */
const windowS = 0.1;

export interface SampledWindows extends WatchSummary {
  /** Samples taken. */
  readonly count: number;
}

/** By how much the time limit may be passed for the sake of the fewest samples that say something. */
const patience = 2.5;

/**
 * Takes samples until there are enough or the time is over, in windows of a tenth of a second with a look at the
 * machine between them, never within a sample.
 * @param sample takes sample i and stores it
 */
export async function sampleInWindows(
  sample: (i: number) => undefined | Promise<undefined>,
  job: Pick<Job, "samples" | "fewestSamples" | "limitS" | "core">,
): Promise<SampledWindows> {
  const watch = beginWatch(lookAround(job.core));
  const isDue = (count: number): boolean => {
    const elapsedS = readClock() - watch.first.timeS;
    return count >= job.samples || elapsedS >= (count < job.fewestSamples ? patience : 1) * job.limitS;
  };
  let count = 0;
  while (count === 0 || !isDue(count)) {
    const end = readClock() + windowS;
    do {
      const pending = sample(count);
      if (pending !== undefined) await pending;
      count++;
    } while (!isDue(count) && readClock() < end);
    addWindow(watch, lookAround(job.core));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { count, ...summarizeWatch(watch, lookAround(job.core)) };
}

import { quantile, sortNumbers } from "@fleetmark/shared/stats/quantiles";
import { readClock } from "./clock.js";
import { doReferenceWork } from "./reference-work.js";

/** At what pace the core works at a moment, and what it can reach. */

const repeats = 5;
/** Calls until the engine has compiled the reference work for good: some 15 ms. */
const warmupCalls = 600;
let isWarm = false;

/** Lets the reference work be compiled, once in a process. */
export function warmUpReferenceWork(): void {
  for (let i = 0; !isWarm && i < warmupCalls; i++) doReferenceWork();
  isWarm = true;
}

/** Times the reference work: seconds, the least of some. */
export function timeReferenceWork(): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const started = readClock();
    doReferenceWork();
    least = Math.min(least, readClock() - started);
  }
  return least;
}

/** Returns the share of its full pace that a core had lost when the reference work took so long. */
export function findPaceLoss(workS: number, fullS: number): number {
  return Math.max(0, 1 - fullS / workS);
}

/** What the cores of this machine can do: the last times of the reference work, in seconds. */
export interface PaceRecord {
  times: readonly number[];
}

/**
 * So many times are remembered: a machine that runs fast for its first minute, until it is warm, is then judged by
 * what it can keep up.
 */
const remembered = 1000;
/** The share of times that is taken for full pace. */
const fullShare = 0.25;

export function createPaceRecord(): PaceRecord {
  return { times: [] };
}

export function recordPace(record: PaceRecord, workS: readonly number[]): void {
  record.times = [...record.times, ...workS].slice(-remembered);
}

/** Returns the seconds that the reference work takes at full pace; infinity as long as nothing was recorded. */
export function estimateFullPace({ times }: PaceRecord): number {
  return times.length === 0 ? Number.POSITIVE_INFINITY : quantile(sortNumbers(times), fullShare);
}

/** Of all that this process has measured. */
export const measuredPace: PaceRecord = createPaceRecord();

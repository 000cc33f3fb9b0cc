import { type ClockFacts, readClock } from "../../machine/clock.js";
import type { Timer } from "./sample.js";

/** A sample lasts so many times the clock's resolution and cost that both stay under a thousandth of it. */
const clockMargin = 1000;

/**
 * Shortest sample, in seconds: long enough that one timer interrupt of some microseconds does not make it an outlier.
 */
const shortestSampleS = 5e-4;

/** Estimates that differ by less than this share count as settled. */
const settledShare = 0.1;

/** Code that runs for less than this many seconds may be waiting to be compiled, and its pace settle too early. */
const shortestTrialS = 0.05;

export interface Calibration {
  readonly iterationsPerSample: number;
  readonly secondsPerIteration: number;
}

/** Returns how long a sample must last at least, in seconds. */
export function chooseSampleLength(clock: ClockFacts): number {
  return Math.max(shortestSampleS, clockMargin * clock.resolutionS, clockMargin * clock.costS);
}

/**
 * Finds how many iterations make a sample, by trials of which each lasts about twice as long as the one before: until
 * two in a row take the same time per iteration, or until the time limit. A stall makes one trial look slow: such a
 * one is made again, and the faster of the last two counts.
 * @param fewestTrials that are made whatever they take: one alone may be a stall
 */
export async function calibrate(timer: Timer, clock: ClockFacts, limitS: number, fewestTrials = 2): Promise<Calibration> {
  const deadline = readClock() + limitS;
  let before = Number.POSITIVE_INFINITY;
  for (let count = 1, trials = 1; ; trials++) {
    const seconds = Math.max(await timer(count), clock.resolutionS);
    const each = seconds / count;
    const isSlower = each > before * (1 + settledShare);
    const settled = seconds >= shortestTrialS && each > before * (1 - settledShare) && !isSlower;
    // The next trial takes about twice as long as this one: better to end early than late.
    if (settled || (trials >= fewestTrials && readClock() + seconds > deadline)) {
      const least = Math.min(each, before);
      return { iterationsPerSample: Math.max(1, Math.ceil(chooseSampleLength(clock) / least)), secondsPerIteration: least };
    }
    if (!isSlower) count *= 2;
    before = each;
  }
}

/**
 * Chooses how many iterations a sample has: as many as in the runs before, so that all are means of as many, unless a
 * sample would be too short by half.
 */
export function chooseIterations(
  { iterationsPerSample, secondsPerIteration }: Calibration,
  clock: ClockFacts,
  pinned: number | undefined,
): number {
  if (pinned === undefined || 2 * pinned * secondsPerIteration < chooseSampleLength(clock)) return iterationsPerSample;
  return pinned;
}

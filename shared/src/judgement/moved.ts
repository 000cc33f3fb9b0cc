import type { Result } from "../model/result.js";
import { normalQuantile } from "../stats/distributions.js";
import { compareIntervals, type MedianChange, type MedianInterval, type Scale, scaleBy } from "../stats/intervals.js";
import { compareLevels, type Level, unknownSpread } from "../stats/levels.js";
import { allowForDrift, measureDrift, readMachineState, readNumber } from "./machine-drift.js";

/**
 * By how much a figure moved between two results, with what may explain it but the code: chance, and the machine's
 * pace.
 */

/** A suite makes dozens of comparisons, so each is held to 99 %. */
const confidence = 0.99;

/** Results of former versions carry 95 % intervals alone, which are widened by the ratio of the normal quantiles. */
const widening = normalQuantile(0.995) / normalQuantile(0.975);

/**
 * How far off a median may be whose measuring was disturbed, where the result does not tell what that took: whatever
 * else ran took part of the core, the caches and the memory's bandwidth.
 */
const unknownLoss = 0.5;

function readInterval(result: Result): MedianInterval {
  const { median, median_low, median_high } = result;
  const { project, restore } = scaleBy(result.quantity !== "overhead" && median_low > 0 ? "relative" : "absolute");
  const widen = (bound: number): number => restore(project(median) + widening * (project(bound) - project(median)));
  const reach = result.disturbance === "" || tellsPace(result) ? 0 : unknownLoss * Math.abs(median);
  return { median, low: widen(median_low) - reach, high: widen(median_high) + reach };
}

/** The level of a result that keeps its runs' medians. */
function readLevel(result: Result, scale: Scale): Level | undefined {
  const { median, run_medians: medians = [], run_spread = 0, run_spread_degrees: degrees = 0 } = result;
  if (medians.length === 0 || (scale === "relative" && [median, ...medians].some((each) => each <= 0))) return undefined;
  // The level itself stands in the result: what is shown is what is compared.
  return { scale, centre: scaleBy(scale).project(median), runs: medians.length, spread: { variance: run_spread ** 2, degrees } };
}

/** A figure of which nothing but itself is known. */
export function readSingle(value: number): Level {
  return { scale: "relative", centre: Math.log(value), runs: 1, spread: unknownSpread };
}

function tellsPace(result: Result): boolean {
  return (readNumber(result, "reference_work_us") ?? 0) > 0;
}

/** A mean of so many iterations is a mean, however skewed their times are. */
const manyIterations = 20;
/** Medians of means of one iteration and of many may lie so far apart, as a factor. */
const unlikeFactor = 2;

/** Whether samples of two results are means of unlike many iterations, so that their medians differ by themselves. */
function isUnlike(before: Result, after: Result): boolean {
  const [fewer, more] = [before, after].map((each) => each.iterations_per_sample).sort((a, b) => a - b);
  return fewer < manyIterations && more >= 2 * fewer;
}

/** How times or memory moved, as after / before − 1. @param former the result that `before` was read off */
export function compareAmounts(before: Result | Level, after: Result): MedianChange {
  const level = readLevel(after, "relative");
  if ("spread" in before) {
    if (level !== undefined) return compareLevels(before, level, confidence);
    const value = Math.exp(before.centre);
    return compareIntervals({ median: value, low: value, high: value }, readInterval(after), "relative");
  }
  const former = readLevel(before, "relative");
  const isKnown = level !== undefined && former !== undefined;
  const moved = isKnown
    ? compareLevels(former, level, confidence)
    : compareIntervals(readInterval(before), readInterval(after), "relative");
  if (after.quantity !== "time") return moved;
  const drift = measureDrift(readMachineState(before), readMachineState(after));
  return allowForDrift(moved, drift, isUnlike(before, after) ? Math.log(unlikeFactor) : 0);
}

/** How an overhead moved, in its own points: both of its sides ran in turns at one pace. */
export function compareOverheads(before: Result, after: Result): MedianChange {
  const [former, level] = [readLevel(before, "absolute"), readLevel(after, "absolute")];
  if (former !== undefined && level !== undefined) return compareLevels(former, level, confidence);
  return compareIntervals(readInterval(before), readInterval(after), "absolute");
}

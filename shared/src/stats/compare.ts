import {
  type BootstrapOptions,
  type MedianInterval,
  medianOfRuns,
  resampleMedians,
  type SampleRuns,
  type Scale,
  scaleBy,
} from "./bootstrap.js";
import { normalQuantile, studentQuantile } from "./distributions.js";
import { quantile, sortNumbers } from "./quantiles.js";
import { createRandom } from "./random.js";
import { variance } from "./summary.js";

/**
 * How the median moved from before to after: after / before − 1 on the relative scale, after − before on the absolute
 * one.
 */
export interface MedianChange {
  readonly before: number;
  readonly after: number;
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

interface Side {
  readonly centre: number;
  /** Deviations of the resampled medians from the centre, corrected for the bootstrap's division by k. */
  readonly deviations: Float64Array;
  readonly runs: number;
}

function resampleSide(runs: SampleRuns, random: () => number, resamples: number, project: (value: number) => number): Side {
  const filled = runs.filter((run) => run.length > 0);
  const centre = project(medianOfRuns(filled));
  const correction = filled.length < 2 ? 1 : Math.sqrt(filled.length / (filled.length - 1));
  const medians = resampleMedians(filled, random, resamples);
  return { centre, deviations: medians.map((value) => correction * (project(value) - centre)), runs: filled.length };
}

/**
 * Degrees of freedom of a difference of two means by Welch (1947), rounded down; single runs bring none and do not
 * count.
 */
function countDegrees(a: Side, b: Side): number {
  const [va, vb] = [variance(a.deviations), variance(b.deviations)];
  const parts = (a.runs < 2 ? 0 : va ** 2 / (a.runs - 1)) + (b.runs < 2 ? 0 : vb ** 2 / (b.runs - 1));
  return parts === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((va + vb) ** 2 / parts));
}

/**
 * Compares two sets of samples, each of several process runs, by their medians: hierarchical bootstrap on each side,
 * widened by Student's t for the number of runs (Kalibera & Jones, "Rigorous Benchmarking in Reasonable Time", ISMM
 * 2013, § 6, with medians for means). `low` and `high` are null-free: with one run per side they cover the spread
 * within runs only.
 * @throws RangeError when a side has no samples, or a relative change is asked of numbers that are not positive
 */
export function compareSamples(
  before: SampleRuns,
  after: SampleRuns,
  options: BootstrapOptions & { scale: Scale },
): MedianChange {
  const { confidence = 0.95, resamples = 1000, scale } = options;
  const smallest = Math.min(...[...before, ...after].map((run) => sortNumbers(run)[0] ?? Number.POSITIVE_INFINITY));
  if (scale === "relative" && smallest <= 0) throw new RangeError("a relative change needs positive samples");
  const { project } = scaleBy(scale);
  const restore = scale === "relative" ? Math.expm1 : (value: number) => value;
  const random = createRandom(options.seed);
  const a = resampleSide(before, random, resamples, project);
  const b = resampleSide(after, random, resamples, project);
  const degrees = countDegrees(a, b);
  const tail = (1 + confidence) / 2;
  const factor = Number.isFinite(degrees) ? studentQuantile(tail, degrees) / normalQuantile(tail) : 1;
  const differences = sortNumbers(b.deviations.map((deviation, i) => deviation - a.deviations[i]));
  const difference = b.centre - a.centre;
  return {
    before: medianOfRuns(before),
    after: medianOfRuns(after),
    change: restore(difference),
    low: restore(difference + factor * Math.min(0, quantile(differences, 1 - tail))),
    high: restore(difference + factor * Math.max(0, quantile(differences, tail))),
  };
}

/**
 * Compares two medians of which only the intervals are known, such as stored results: the method of variance estimates
 * recovery, Zou & Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008).
 * The interval of the change has the confidence of the two given.
 * @throws RangeError when a relative change is asked of numbers that are not positive
 */
export function compareIntervals(before: MedianInterval, after: MedianInterval, scale: Scale): MedianChange {
  if (scale === "relative" && Math.min(before.median, after.median) <= 0) {
    throw new RangeError("a relative change needs positive medians");
  }
  // A widened interval of a positive quantity may reach below zero: its logarithm is then as far below as above.
  const { project } = scaleBy(scale);
  const restore = scale === "relative" ? Math.expm1 : (value: number) => value;
  const reach = ({ median: centre, low, high }: MedianInterval): { down: number; up: number } => {
    const up = project(high) - project(centre);
    return { down: scale === "relative" && low <= 0 ? up : project(centre) - project(low), up };
  };
  const difference = project(after.median) - project(before.median);
  const [a, b] = [reach(before), reach(after)];
  return {
    before: before.median,
    after: after.median,
    change: restore(difference),
    low: restore(difference - Math.hypot(b.down, a.up)),
    high: restore(difference + Math.hypot(b.up, a.down)),
  };
}

import { isAutocorrelated, rankAutocorrelation } from "./autocorrelation.js";
import { normalQuantile, studentQuantile } from "./distributions.js";
import { quantile, sortNumbers } from "./quantiles.js";
import { createRandom, drawInteger, type Random } from "./random.js";

/** Samples of one benchmark: one list per process run, in the order in which they were taken. */
export type SampleRuns = readonly ArrayLike<number>[];

export interface MedianInterval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  /** From 0 to 1; default 0.95. */
  readonly confidence?: number;
  /** Default 1000. */
  readonly resamples?: number;
}

/**
 * `relative`: as a factor, by logarithms, for positive quantities such as times. `absolute`: as a difference, for any.
 */
export type Scale = "relative" | "absolute";

/** Returns how numbers are taken to the scale on which their deviations are symmetric, and back. */
export function scaleBy(scale: Scale): { project: (value: number) => number; restore: (value: number) => number } {
  if (scale === "relative") return { project: Math.log, restore: Math.exp };
  return { project: (value) => value, restore: (value) => value };
}

/**
 * Returns how many neighbouring samples are drawn together: 1 for independent ones, else the length that is best for
 * the mean of an AR(1) process, (2ρ / (1 − ρ²))^⅔ n^⅓ (Politis & White, "Automatic Block-Length Selection for the
 * Dependent Bootstrap", Econometric Reviews 23, 2004), at most a quarter of the samples.
 */
export function chooseBlockLength(samples: ArrayLike<number>): number {
  const n = samples.length;
  const correlation = Math.min(0.99, rankAutocorrelation(samples));
  if (n < 8 || !isAutocorrelated(correlation, n)) return 1;
  const best = ((2 * correlation) / (1 - correlation ** 2)) ** (2 / 3) * n ** (1 / 3);
  return Math.max(1, Math.min(Math.ceil(best), Math.floor(n / 4)));
}

/** All samples in order, and of each run where its samples lie in that order. */
interface Pool {
  readonly sorted: Float64Array;
  readonly runs: readonly PooledRun[];
}

interface PooledRun {
  readonly places: Uint32Array;
  /** What one of its samples weighs: runs of different lengths count alike. */
  readonly weight: number;
}

function poolRuns(runs: SampleRuns): Pool {
  const pool = runs.flatMap((run) => Array.from(run));
  const order = Uint32Array.from({ length: pool.length }, (_, i) => i).sort((a, b) => pool[a] - pool[b]);
  const placeOf = new Uint32Array(pool.length);
  for (let place = 0; place < order.length; place++) placeOf[order[place]] = place;
  const longest = Math.max(...runs.map((run) => run.length));
  let start = 0;
  const pooled = runs.map((run) => {
    const places = placeOf.subarray(start, start + run.length);
    start += run.length;
    return { places, weight: longest / run.length };
  });
  return { sorted: Float64Array.from(order, (i) => pool[i]), runs: pooled };
}

/**
 * Draws as many samples as the run has, in blocks of neighbours (Künsch 1989), adding up the weight drawn at each
 * place.
 */
function drawRun({ places, weight }: PooledRun, blockLength: number, random: Random, weights: Float64Array): void {
  const n = places.length;
  for (let drawn = 0; drawn < n; drawn += blockLength) {
    const start = drawInteger(random, n - blockLength + 1);
    const length = Math.min(blockLength, n - drawn);
    for (let i = start; i < start + length; i++) weights[places[i]] += weight;
  }
}

/**
 * Returns the value at which half the weight is reached, or the middle between two where it is reached exactly; clears
 * the weights.
 */
function takeMedian(sorted: Float64Array, weights: Float64Array): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i];
  const rounding = 1e-9 * total;
  let seen = 0;
  let low = Number.NaN;
  let high = Number.NaN;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] > 0) {
      seen += weights[i];
      if (Number.isNaN(low) && seen >= total / 2 - rounding) low = sorted[i];
      if (Number.isNaN(high) && seen > total / 2 + rounding) high = sorted[i];
      weights[i] = 0;
    }
  }
  return (low + high) / 2;
}

/**
 * Returns the median of several runs' samples in which each run counts alike, however many samples it has.
 * @throws RangeError when there are no samples
 */
export function medianOfRuns(runs: SampleRuns): number {
  const filled = runs.filter((run) => run.length > 0);
  if (filled.length === 0) throw new RangeError("no median of no values");
  const pool = poolRuns(filled);
  const weights = new Float64Array(pool.sorted.length);
  for (const { places, weight } of pool.runs) for (const place of places) weights[place] = weight;
  return takeMedian(pool.sorted, weights);
}

/**
 * Returns medians of hierarchical resamples: process runs are drawn with replacement, then samples within each (Davison
 * & Hinkley, "Bootstrap Methods and their Application", 1997, § 3.8; Kalibera & Jones 2013), in blocks where they
 * depend on their neighbours. Each run drawn counts alike.
 */
export function resampleMedians(runs: SampleRuns, random: Random, resamples: number): Float64Array {
  const pool = poolRuns(runs);
  const blockLengths = runs.map(chooseBlockLength);
  const weights = new Float64Array(pool.sorted.length);
  return Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < runs.length; i++) {
      const drawn = drawInteger(random, runs.length);
      drawRun(pool.runs[drawn], blockLengths[drawn], random, weights);
    }
    return takeMedian(pool.sorted, weights);
  });
}

/**
 * Returns by how much a bootstrap over k runs is too narrow: it divides by k where it should by k − 1, and it knows the
 * spread between runs from k of them only, as Student's t knows. 1 for a single run, of whose kin nothing is known.
 */
export function widenForFewRuns(runs: number, confidence: number): number {
  if (runs < 2) return 1;
  const tail = (1 + confidence) / 2;
  return (Math.sqrt(runs / (runs - 1)) * studentQuantile(tail, runs - 1)) / normalQuantile(tail);
}

/**
 * Returns the median, in which each run counts alike, with a bootstrap interval (percentiles, widened for the number of
 * runs on the scale asked for, by default the absolute one; on the relative one it never reaches zero). A single run
 * gives the spread within that run only. Reproducible by its seed.
 * @throws RangeError when there are no samples, or the relative scale is asked for numbers that are not positive
 */
export function bootstrapMedian(runs: SampleRuns, options: BootstrapOptions & { readonly scale?: Scale }): MedianInterval {
  const { confidence = 0.95, scale = "absolute" } = options;
  const filled = runs.filter((run) => run.length > 0);
  const isPositive = filled.every((run) => Array.from(run).every((value) => value > 0));
  if (scale === "relative" && !isPositive) throw new RangeError("the relative scale needs positive samples");
  const { project, restore } = scaleBy(scale);
  const centre = medianOfRuns(filled);
  const medians = sortNumbers(resampleMedians(filled, createRandom(options.seed), options.resamples ?? 1000));
  const factor = widenForFewRuns(filled.length, confidence);
  const reach = (tail: number): number => factor * (project(quantile(medians, tail)) - project(centre));
  return {
    median: centre,
    low: Math.min(centre, restore(project(centre) + reach((1 - confidence) / 2))),
    high: Math.max(centre, restore(project(centre) + reach((1 + confidence) / 2))),
  };
}

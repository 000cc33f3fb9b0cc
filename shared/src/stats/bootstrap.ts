import { isAutocorrelated, rankAutocorrelation } from "./autocorrelation.js";
import type { MedianInterval } from "./intervals.js";
import { quantile, sortNumbers } from "./quantiles.js";
import { createRandom, drawInteger, type Random } from "./random.js";

export interface BootstrapOptions {
  readonly seed: number;
  /** From 0 to 1; default 0.95. */
  readonly confidence?: number;
  /** Default 1000. */
  readonly resamples?: number;
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

/** Draws as many places as there are, in blocks of neighbours (Künsch 1989), counting how often each was drawn. */
function drawBlocks(n: number, blockLength: number, random: Random, count: (place: number) => void): void {
  for (let drawn = 0; drawn < n; drawn += blockLength) {
    const start = drawInteger(random, n - blockLength + 1);
    const end = start + Math.min(blockLength, n - drawn);
    for (let place = start; place < end; place++) count(place);
  }
}

/** Returns the median of sorted values of which each stands so many times, `n` in all; clears the counts. */
function takeMedian(sorted: Float64Array, counts: Uint32Array, n: number): number {
  const [lower, upper] = [Math.floor((n - 1) / 2), Math.floor(n / 2)];
  let [low, high] = [Number.NaN, Number.NaN];
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i];
    if (Number.isNaN(low) && seen > lower) low = sorted[i];
    if (Number.isNaN(high) && seen > upper) high = sorted[i];
    counts[i] = 0;
  }
  return (low + high) / 2;
}

/**
 * Returns the median of one run's samples with its bootstrap interval by percentiles, drawn in blocks where samples
 * depend on their neighbours (Davison & Hinkley, "Bootstrap Methods and their Application", 1997, § 8.2.3): the spread
 * within that run, which says nothing of how others would differ. Reproducible by its seed.
 * @throws RangeError when there are no samples
 */
export function bootstrapMedian(samples: ArrayLike<number>, options: BootstrapOptions): MedianInterval {
  const { seed, confidence = 0.95, resamples = 1000 } = options;
  const n = samples.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => samples[a] - samples[b]);
  const sorted = Float64Array.from(order, (i) => samples[i]);
  const placeOf = new Uint32Array(n);
  for (let place = 0; place < n; place++) placeOf[order[place]] = place;
  const median = quantile(sorted, 0.5);
  const blockLength = chooseBlockLength(samples);
  const random = createRandom(seed);
  const counts = new Uint32Array(n);
  const medians = Float64Array.from({ length: resamples }, () => {
    drawBlocks(n, blockLength, random, (i) => counts[placeOf[i]]++);
    return takeMedian(sorted, counts, n);
  });
  const drawn = sortNumbers(medians);
  const [low, high] = [(1 - confidence) / 2, (1 + confidence) / 2].map((tail) => quantile(drawn, tail));
  return { median, low: Math.min(median, low), high: Math.max(median, high) };
}

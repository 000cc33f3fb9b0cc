import { quantile, sortNumbers } from "./quantiles.js";
import { medianAbsoluteDeviation, trimmedMean, tukeyFences } from "./robust.js";

/** What one set of samples looks like, in the samples' unit. */
export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly mean: number;
  /** Mean without the lowest and highest tenth. */
  readonly trimmed_mean: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly min: number;
  readonly max: number;
  /** Of the sample (n − 1); 0 for a single one. */
  readonly stddev: number;
  readonly mad: number;
  /** stddev / |mean|; 0 where the mean is 0. */
  readonly cv: number;
  readonly outliers_low: number;
  readonly outliers_high: number;
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Returns the unbiased variance (n − 1); 0 for fewer than two values. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - centre) ** 2;
  return squares / (values.length - 1);
}

/** Summarises samples. Outliers are counted by Tukey's fences and kept. @throws RangeError when there are none */
export function summarize(values: ArrayLike<number>): Summary {
  const sorted = sortNumbers(values);
  const fences = tukeyFences(sorted);
  const average = mean(sorted);
  const stddev = Math.sqrt(variance(sorted));
  return {
    n: sorted.length,
    median: quantile(sorted, 0.5),
    mean: average,
    trimmed_mean: trimmedMean(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    p999: quantile(sorted, 0.999),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    stddev,
    mad: medianAbsoluteDeviation(sorted),
    cv: average === 0 ? 0 : stddev / Math.abs(average),
    outliers_low: sorted.filter((value) => value < fences.low).length,
    outliers_high: sorted.filter((value) => value > fences.high).length,
  };
}

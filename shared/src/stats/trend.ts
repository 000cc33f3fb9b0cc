import { normalQuantile } from "./distributions.js";
import { median, quantile, sortNumbers } from "./quantiles.js";

export interface Trend {
  /** Change of y per unit of x. */
  readonly slope: number;
  readonly low: number;
  readonly high: number;
  /** y at x = 0. */
  readonly intercept: number;
}

/**
 * Fits a line by the median of the slopes between all pairs of points, with Kendall's interval: Theil (1950); Sen,
 * "Estimates of the Regression Coefficient Based on Kendall's Tau", JASA 63 (1968), with ties in x left out.
 * Holds with up to 29 % of outliers. O(n²): for at most some thousand points.
 * @throws RangeError for fewer than two different x
 */
export function fitTrend(x: ArrayLike<number>, y: ArrayLike<number>, confidence = 0.95): Trend {
  const slopes: number[] = [];
  for (let i = 0; i < x.length; i++) {
    for (let j = i + 1; j < x.length; j++) {
      if (x[i] !== x[j]) slopes.push((y[j] - y[i]) / (x[j] - x[i]));
    }
  }
  if (slopes.length === 0) throw new RangeError("a trend needs two points at different places");
  const sorted = sortNumbers(slopes);
  const slope = quantile(sorted, 0.5);
  const n = x.length;
  const reach = normalQuantile((1 + confidence) / 2) * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const low = Math.max(0, Math.floor((sorted.length - reach) / 2) - 1);
  const high = Math.min(sorted.length - 1, Math.ceil((sorted.length + reach) / 2));
  const intercept = median(Float64Array.from({ length: n }, (_, i) => y[i] - slope * x[i]));
  return { slope, low: sorted[low], high: sorted[high], intercept };
}

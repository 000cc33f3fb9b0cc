import { median, quantile } from "./quantiles.js";

/** What the MAD of normal noise is multiplied by to give its standard deviation: 1 / Φ⁻¹(3/4). */
export const madToSigma = 1.482602218505602;

/** Returns the median absolute deviation from the median, unscaled. @throws RangeError when there are no values */
export function medianAbsoluteDeviation(values: ArrayLike<number>): number {
  const centre = median(values);
  return median(Float64Array.from(values, (value) => Math.abs(value - centre)));
}

/**
 * Returns the mean without the lowest and the highest `share` of the sorted values.
 * @param share from 0 to under 0.5
 * @throws RangeError when there are no values
 */
export function trimmedMean(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new RangeError("no mean of no values");
  const cut = Math.floor(sorted.length * share);
  let sum = 0;
  for (let i = cut; i < sorted.length - cut; i++) sum += sorted[i];
  return sum / (sorted.length - 2 * cut);
}

/** Tukey's inner fences, 1.5 interquartile ranges outside the quartiles ("Exploratory Data Analysis", 1977, ch. 2). */
export function tukeyFences(sorted: ArrayLike<number>): { low: number; high: number } {
  const [first, third] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const reach = 1.5 * (third - first);
  return { low: first - reach, high: third + reach };
}

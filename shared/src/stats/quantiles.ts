/** Returns a sorted copy. */
export function sortNumbers(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}

/**
 * Returns the quantile of sorted values by linear interpolation: definition 7 of Hyndman & Fan, "Sample Quantiles in
 * Statistical Packages", The American Statistician 50 (1996); the default of R and NumPy.
 * @param p from 0 to 1
 * @throws RangeError when there are no values
 */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) throw new RangeError("no quantile of no values");
  const position = (sorted.length - 1) * p;
  const below = Math.floor(position);
  const low = sorted[below];
  const high = sorted[Math.min(below + 1, sorted.length - 1)];
  return low === high ? low : low + (position - below) * (high - low);
}

/** @throws RangeError when there are no values */
export function median(values: ArrayLike<number>): number {
  return quantile(sortNumbers(values), 0.5);
}

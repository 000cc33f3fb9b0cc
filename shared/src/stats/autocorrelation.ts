/** Returns each value's rank from 0, tied values sharing the mean of theirs. */
export function rankValues(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let i = start; i < end; i++) ranks[order[i]] = (start + end - 1) / 2;
    start = end;
  }
  return ranks;
}

/**
 * Returns the lag-1 autocorrelation of the values' ranks, from −1 to 1; 0 for fewer than three values or equal ones.
 * Ranks, because one outlier in a time series would otherwise hide any dependence (Wald & Wolfowitz 1943).
 */
export function rankAutocorrelation(values: ArrayLike<number>): number {
  if (values.length < 3) return 0;
  const ranks = rankValues(values);
  const centre = (values.length - 1) / 2;
  let products = 0;
  let squares = 0;
  for (let i = 0; i < ranks.length; i++) {
    squares += (ranks[i] - centre) ** 2;
    if (i > 0) products += (ranks[i] - centre) * (ranks[i - 1] - centre);
  }
  return squares === 0 ? 0 : products / squares;
}

/**
 * Whether a lag-1 autocorrelation of n values is over zero at the 5 % level, by Bartlett's 1/√n standard error (1946).
 */
export function isAutocorrelated(correlation: number, n: number): boolean {
  return correlation > 1.645 / Math.sqrt(n);
}

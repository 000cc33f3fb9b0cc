import { median } from "../quantiles.js";

/** A pattern is seen so many times before it is one. */
const fewestCycles = 4;
const shortestPeriod = 3;
/** Longest pattern that is looked for. */
const longestPeriod = 200;
/** Longer series are not looked at: theirs are days of seconds, which nobody judges at once. */
const mostValues = 20_000;

/** A pattern explains at least this share of what varies within it. */
const fewestExplained = 0.3;

/** Values less the mean of the period around them; a half at each end counts half where the period is even. */
function removeCourse(values: ArrayLike<number>, period: number): Float64Array {
  const n = values.length;
  const sums = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) sums[i + 1] = sums[i] + values[i];
  const half = Math.floor(period / 2);
  return Float64Array.from({ length: n }, (_, i) => {
    const at = Math.min(Math.max(i, half), n - 1 - half);
    const [from, to] = [at - half, at + half];
    const whole = sums[to + 1] - sums[from];
    const total = period % 2 === 1 ? whole : whole - (values[from] + values[to]) / 2;
    return values[i] - total / period;
  });
}

/** The level of each phase: the median over all cycles, about zero in all. */
function measurePattern(rest: Float64Array, period: number): Float64Array {
  const half = Math.floor(period / 2);
  const pattern = Float64Array.from({ length: period }, (_, phase) => {
    const seen: number[] = [];
    // At its ends a series has no full period around its values.
    for (let i = phase; i < rest.length - half; i += period) if (i >= half) seen.push(rest[i]);
    return median(seen);
  });
  const centre = pattern.reduce((sum, each) => sum + each, 0) / period;
  return pattern.map((each) => each - centre);
}

/** By how much a pattern explains a series better than none by the Bayesian information criterion; 0 if it does not. */
function scorePattern(rest: Float64Array, pattern: Float64Array): number {
  const half = Math.floor(pattern.length / 2);
  let [all, left] = [0, 0];
  for (let i = half; i < rest.length - half; i++) {
    all += rest[i] ** 2;
    left += (rest[i] - pattern[i % pattern.length]) ** 2;
  }
  if (all === 0 || left > (1 - fewestExplained) * all) return 0;
  const n = rest.length - 2 * half;
  return n * Math.log(all / Math.max(left, Number.MIN_VALUE)) - pattern.length * Math.log(n);
}

/**
 * Finds the pattern that comes again and again in a series, by classical decomposition (Persons 1919): what is left of
 * a moving mean over the period is averaged phase by phase. Of all periods the Bayesian information criterion chooses
 * one, or none.
 * @param values finite numbers in order of time, evenly spaced
 * @returns what the pattern adds to each value of a period, about zero; undefined where there is none
 */
export function findSeason(values: ArrayLike<number>): Float64Array | undefined {
  const n = values.length;
  if (n > mostValues) return undefined;
  let best: { pattern: Float64Array; score: number } | undefined;
  for (let period = shortestPeriod; period <= Math.min(longestPeriod, Math.floor(n / fewestCycles)); period++) {
    const rest = removeCourse(values, period);
    const pattern = measurePattern(rest, period);
    const score = scorePattern(rest, pattern);
    if (score > (best?.score ?? 0)) best = { pattern, score };
  }
  return best?.pattern;
}

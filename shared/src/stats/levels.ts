import { studentQuantile } from "./distributions.js";
import { type MedianChange, type MedianInterval, type Scale, scaleBy } from "./intervals.js";
import { mean, variance } from "./summary.js";

/**
 * The level of a benchmark, from one figure of each of its process runs: their medians. What differs within a run is in
 * them already, so that the spread between them is all that an interval needs (Kalibera & Jones, "Rigorous Benchmarking
 * in Reasonable Time", ISMM 2013, § 6.1, with the highest level alone).
 */

/** How process runs of one benchmark differ: the variance of their medians on its scale. */
export interface Spread {
  readonly variance: number;
  /** Degrees of freedom; 0 where nothing is known. */
  readonly degrees: number;
}

export interface Level {
  readonly scale: Scale;
  /** Mean of the runs' medians on its scale: of their logarithms on the relative one. */
  readonly centre: number;
  readonly runs: number;
  readonly spread: Spread;
}

export const unknownSpread: Spread = { variance: 0, degrees: 0 };

/** Equal medians are no precision: runs are held to differ by a thousandth, or by a tenth of a percentage point. */
const leastDeviation: Readonly<Record<Scale, number>> = { relative: 1e-3, absolute: 0.1 };

/** A spread so many times that of before is another: what was known does not hold any more. */
const foreignRatio = 4;

/**
 * Joins what several sets of runs tell, each by its degrees of freedom.
 * @param most degrees that the whole may count
 */
export function poolSpreads(spreads: readonly Spread[], most = Number.POSITIVE_INFINITY): Spread {
  const degrees = spreads.reduce((sum, each) => sum + each.degrees, 0);
  if (degrees === 0) return unknownSpread;
  const total = spreads.reduce((sum, each) => sum + each.degrees * each.variance, 0);
  return { variance: total / degrees, degrees: Math.min(degrees, most) };
}

/** Returns how the medians of some runs differ. */
export function measureSpread(medians: ArrayLike<number>, scale: Scale): Spread {
  if (medians.length < 2) return unknownSpread;
  const { project } = scaleBy(scale);
  return { variance: variance(Array.from(medians, project)), degrees: medians.length - 1 };
}

/**
 * Estimates the level of some process runs, whose spread is shrunk towards what is known of it, as of a conjugate prior
 * (Gelman et al., "Bayesian Data Analysis", 3rd ed., § 2.6: a scaled inverse χ²).
 * @param medians one of each process run; positive on the relative scale
 * @throws RangeError when there are none, or one is not positive where it has to be
 */
export function estimateLevel(medians: ArrayLike<number>, scale: Scale, history: Spread = unknownSpread): Level {
  if (medians.length === 0) throw new RangeError("no level of no runs");
  if (scale === "relative" && !Array.from(medians).every((each) => each > 0))
    throw new RangeError("the relative scale needs positive medians");
  const { project } = scaleBy(scale);
  const seen = measureSpread(medians, scale);
  const isForeign = seen.degrees > 0 && seen.variance > foreignRatio * history.variance;
  const pooled = isForeign ? seen : poolSpreads([seen, history]);
  const spread = { ...pooled, variance: Math.max(pooled.variance, leastDeviation[scale] ** 2) };
  return { scale, centre: mean(Array.from(medians, project)), runs: medians.length, spread };
}

/**
 * Estimates a level whose number of runs the first of them decided: where they were few because the first happened to
 * be alike, the spread of all would be too small, so that it is at least that of the first.
 */
export function estimateStagedLevel(medians: readonly number[], firstStage: number, scale: Scale, history: Spread): Level {
  const whole = estimateLevel(medians, scale, history);
  const first = estimateLevel(medians.slice(0, firstStage), scale, history);
  const variance = Math.max(first.spread.variance, whole.spread.variance);
  return { ...whole, spread: { ...whole.spread, variance } };
}

/** Half the width of a level's interval, on its scale; infinity where nothing is known of the spread. */
export function reachOf({ runs, spread }: Pick<Level, "runs" | "spread">, confidence: number): number {
  if (spread.degrees === 0) return Number.POSITIVE_INFINITY;
  return studentQuantile((1 + confidence) / 2, spread.degrees) * Math.sqrt(spread.variance / runs);
}

/** Returns a level with its interval by Student's t. */
export function placeLevel(level: Level, confidence = 0.95): MedianInterval {
  const { restore } = scaleBy(level.scale);
  const reach = reachOf(level, confidence);
  return { median: restore(level.centre), low: restore(level.centre - reach), high: restore(level.centre + reach) };
}

/**
 * Returns how many runs a level needs until its interval reaches no further than asked: the second stage of Stein, "A
 * two-sample test for a linear hypothesis whose power is independent of the variance", Annals of Mathematical
 * Statistics 16 (1945). To look again after each run, and to stop when it looks good, would cover less than it claims.
 * @param level of the first stage
 * @param reach on the level's scale
 */
export function countRunsNeeded(level: Level, reach: number, confidence = 0.95): number {
  const { spread } = level;
  if (spread.degrees === 0) return Number.POSITIVE_INFINITY;
  return Math.ceil((studentQuantile((1 + confidence) / 2, spread.degrees) ** 2 * spread.variance) / reach ** 2);
}

/** Spreads of two sides are one as long as neither is so many times the other. */
const unlikeRatio = 4;

/** Degrees of freedom of the difference: both sides' where they spread alike, else by Welch (1947). */
function countDegrees(a: Level, b: Level): number {
  const { variance: va, degrees: da } = a.spread;
  const { variance: vb, degrees: db } = b.spread;
  if (da === 0 || db === 0) return da + db;
  if (va <= unlikeRatio * vb && vb <= unlikeRatio * va) return da + db;
  const [sa, sb] = [va / a.runs, vb / b.runs];
  return Math.max(1, (sa + sb) ** 2 / (sa ** 2 / da + sb ** 2 / db));
}

/**
 * The squared standard error of the difference. Where one side's spread is not known, it is taken to be the other's.
 */
function differenceVariance(a: Level, b: Level): number {
  const isAlike = a.spread.variance <= unlikeRatio * b.spread.variance && b.spread.variance <= unlikeRatio * a.spread.variance;
  if (a.spread.degrees > 0 && b.spread.degrees > 0 && !isAlike) return a.spread.variance / a.runs + b.spread.variance / b.runs;
  return poolSpreads([a.spread, b.spread]).variance * (1 / a.runs + 1 / b.runs);
}

/**
 * Compares two levels of one scale by Student's t: after / before − 1 on the relative scale, after − before on the
 * absolute one. The interval is infinite where one run on either side is all that is known.
 */
export function compareLevels(before: Level, after: Level, confidence: number): MedianChange {
  const { restore } = scaleBy(before.scale);
  const toChange = before.scale === "relative" ? Math.expm1 : (value: number): number => value;
  const difference = after.centre - before.centre;
  const degrees = countDegrees(before, after);
  const reach =
    degrees === 0
      ? Number.POSITIVE_INFINITY
      : studentQuantile((1 + confidence) / 2, degrees) * Math.sqrt(differenceVariance(before, after));
  return {
    before: restore(before.centre),
    after: restore(after.centre),
    change: toChange(difference),
    low: toChange(difference - reach),
    high: toChange(difference + reach),
  };
}

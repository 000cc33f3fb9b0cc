import type { Result } from "../model/result.js";
import { rankAutocorrelation } from "../stats/autocorrelation.js";
import { findSteps } from "../stats/changes/step-search.js";
import { studentQuantile } from "../stats/distributions.js";
import { type MedianChange, type Scale, scaleBy } from "../stats/intervals.js";
import { median } from "../stats/quantiles.js";
import { madToSigma, medianAbsoluteDeviation } from "../stats/robust.js";

/** What a benchmark's next result is expected to be, by results before it, on the benchmark's scale. */
export interface Expectation {
  readonly scale: Scale;
  /** The level, projected: a logarithm on the relative scale. */
  readonly centre: number;
  /** Standard deviation of single results around it, projected. */
  readonly deviation: number;
  readonly results: number;
  /** So many independent results would tell the level as well. */
  readonly independent: number;
}

/** Results differ by a thousandth at least, or by a tenth of a percentage point: equal ones are no precision. */
const leastDeviation: Readonly<Record<Scale, number>> = { relative: 1e-3, absolute: 0.1 };

/** What process runs of one result tell of how results differ counts as so many degrees of freedom. */
const withinDegrees = 3;
/** Days differ by more than runs of one minute do: by so many times, until enough days were seen. */
const betweenFactor = 2;

export function chooseScale({ quantity }: Pick<Result, "quantity">): Scale {
  return quantity === "overhead" ? "absolute" : "relative";
}

/** Whether a result has a figure on its benchmark's scale. */
export function hasFigure(result: Result): boolean {
  return Number.isFinite(result.median) && (result.quantity === "overhead" || result.median > 0);
}

function project(result: Result, scale: Scale): number {
  return scaleBy(scale).project(result.median);
}

/** Standard error of a result's level by its process runs, projected; 0 where it does not tell. */
function readError({ run_spread = 0, process_runs }: Result): number {
  return run_spread / Math.sqrt(Math.max(1, process_runs));
}

/** Results nearer to each other than this, projected, are equal but for rounding. */
const rounding = 1e-9;

/** A result counts for so many robust deviations at most: one that stood alone says little of the next. */
const mostDeviations = 4;

/**
 * Spread of results around their median: the largest of the robust one, and of those to either side, for times are
 * skewed, and the longer side is where the next one will lie when it is late by chance.
 */
function measureDeviation(values: readonly number[], centre: number): number {
  const scale = madToSigma * medianAbsoluteDeviation(values);
  const bound = scale < rounding ? Number.POSITIVE_INFINITY : mostDeviations * scale;
  const distances = values.map((value) => Math.max(-bound, Math.min(bound, value - centre)));
  const spread = (side: readonly number[]): number =>
    Math.sqrt(side.reduce((sum, each) => sum + each ** 2, 0) / Math.max(1, side.length - 0.5));
  return Math.max(scale, spread(distances.filter((each) => each >= 0)), spread(distances.filter((each) => each <= 0)));
}

/** Correlation beyond this can't be told from a trend in so few results. */
const mostCorrelated = 0.8;

/**
 * By how much results that hang together with the one before tell less than independent ones: (1 + ρ) / (1 − ρ), of
 * the ranks' correlation and its bias of 1/n (Kendall & Stuart, "The Advanced Theory of Statistics", vol. 3, § 48.3).
 */
function measureInflation(values: readonly number[]): number {
  const seen = rankAutocorrelation(values) + 1 / values.length;
  const correlation = values.length < 4 ? 0 : Math.min(mostCorrelated, Math.max(0, seen));
  return (1 + correlation) / (1 - correlation);
}

/**
 * Expects what the results before were: their median, and how they differ from each other, day from day, which is more
 * than process runs of one minute tell. What these tell is a prior of three degrees of freedom (Gelman et al.,
 * "Bayesian Data Analysis", 3rd ed., § 2.6).
 * @param results of one benchmark at one level; at least one
 * @param least by how much they are held to differ at least, on the relative scale; a hundred times that in points
 */
export function expectResult(results: readonly Result[], least = 0): Expectation {
  const scale = chooseScale(results[0]);
  const values = results.map((result) => project(result, scale));
  const centre = median(values);
  const within = Math.max(
    betweenFactor * median(results.map(readError)),
    leastDeviation[scale],
    least * (scale === "relative" ? 1 : 100),
  );
  const inflation = measureInflation(values);
  const degrees = values.length - 1;
  const seen = measureDeviation(values, centre) ** 2 / (1 - Math.min(0.5, (inflation - 1) / Math.max(1, degrees)));
  const variance = (degrees * seen + withinDegrees * within ** 2) / (degrees + withinDegrees);
  const deviation = Math.max(Math.sqrt(variance), leastDeviation[scale]);
  return { scale, centre, deviation, results: values.length, independent: values.length / inflation };
}

/** How far a result is from what was expected, projected, and how far one more result may be by chance. */
function measureOffset(
  result: Result,
  { scale, centre, deviation, independent }: Expectation,
): { offset: number; spread: number } {
  const spread = Math.sqrt(Math.max(deviation, readError(result)) ** 2 + deviation ** 2 / independent);
  return { offset: project(result, scale) - centre, spread };
}

const degreesOf = ({ results }: Expectation): number => results - 1 + withinDegrees;

/** How far a result is from what was expected, in standard errors of one more result, with their degrees of freedom. */
export function measureDistance(result: Result, expected: Expectation): { distance: number; degrees: number } {
  const { offset, spread } = measureOffset(result, expected);
  return { distance: offset / spread, degrees: degreesOf(expected) };
}

/**
 * Tells how far a result is from what was expected, with the interval in which the change lies: the prediction interval
 * of one more result, by Student's t.
 */
export function compareWithExpectation(result: Result, expected: Expectation, confidence: number): MedianChange {
  const { offset, spread } = measureOffset(result, expected);
  const toChange = expected.scale === "relative" ? Math.expm1 : (value: number): number => value;
  const reach = studentQuantile((1 + confidence) / 2, degreesOf(expected)) * spread;
  return {
    before: scaleBy(expected.scale).restore(expected.centre),
    after: result.median,
    change: toChange(offset),
    low: toChange(offset - reach),
    high: toChange(offset + reach),
  };
}

/** Levels of fewer results are not looked for. */
const fewestForLevels = 8;
/** A level within this share of the best is as good. */
const alikeShare = 0.02;

/** Where each level of a series of results begins, its first at 0. */
function findLevels(results: readonly Result[]): number[] {
  if (results.length < fewestForLevels) return [0];
  const scale = chooseScale(results[0]);
  return [0, ...findSteps(results.map((result) => project(result, scale)))];
}

/**
 * Keeps the results of the best level that there was, and of those as good: what became slower by a little, again and
 * again, is not forgiven. Lower is better for every quantity that results have.
 * @param results of one benchmark in order of time
 */
export function keepBestLevel(results: readonly Result[]): readonly Result[] {
  const starts = findLevels(results);
  if (starts.length === 1) return results;
  const scale = chooseScale(results[0]);
  const parts = starts.map((start, i) => results.slice(start, starts[i + 1] ?? results.length));
  const levels = parts.map((part) => median(part.map((result) => project(result, scale))));
  const best = Math.min(...levels);
  const tolerance = scale === "relative" ? alikeShare : alikeShare * Math.max(1, Math.abs(best));
  return parts.filter((_, i) => levels[i] <= best + tolerance).flat();
}

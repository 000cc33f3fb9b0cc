import type { Result } from "../model/result.js";
import { scaleBy } from "../stats/intervals.js";
import { testTrend } from "../stats/mann-kendall.js";
import { mean } from "../stats/summary.js";
import { fitTrend } from "../stats/trend.js";
import { isSteady } from "./comparison.js";
import { chooseScale, hasFigure } from "./expectation.js";

/** Where the results of a benchmark go: by a robust line through all, and by the last three against the rest. */
export interface BenchmarkTrend {
  readonly host: string;
  readonly name: string;
  readonly unit: Result["unit"];
  readonly results: number;
  readonly from_us: number;
  readonly to_us: number;
  readonly first: number;
  readonly last: number;
  /** `slower` and `faster` where the test tells it from chance and it comes to enough; else `none`. */
  readonly direction: "slower" | "faster" | "none";
  /** Theil–Sen's slope with its 95 % interval: percent a week, of an overhead points a week. */
  readonly per_week: number;
  readonly low: number;
  readonly high: number;
  /** What that comes to over all results, in percent or points. */
  readonly change: number;
  /** Mann–Kendall's, corrected for autocorrelation. */
  readonly p: number;
  /** The mean of the last three against that of the rest, in percent or points; null where there are too few. */
  readonly recent_change: number | null;
}

/** Fewer results, or such of less time, have no trend: minutes say nothing of weeks. */
export const fewestForTrend = 5;
export const shortestTrendDays = 2;
const recent = 3;
const significant = 0.05;
/** A trend that comes to less than this, in percent or points, is none. */
const smallestChange = 2;
const dayUs = 86_400e6;
const weekUs = 7 * dayUs;

/**
 * Tells where a benchmark goes. The line is Theil–Sen's on a logarithmic scale, so that a slope is a percentage; its
 * interval is widened as the test's variance is where results hang together.
 * @param results of one benchmark on one host, in order of time
 * @returns undefined where fewer than five settled, or within less than two days
 */
export function findTrend(results: readonly Result[]): BenchmarkTrend | undefined {
  const usable = results.filter((result) => isSteady(result) && hasFigure(result));
  const [first, last] = [usable[0], usable[usable.length - 1]];
  if (
    usable.length < fewestForTrend ||
    first === undefined ||
    last === undefined ||
    last.time_us - first.time_us < shortestTrendDays * dayUs
  )
    return undefined;
  const scale = chooseScale(first);
  const { project } = scaleBy(scale);
  const values = usable.map(({ median }) => project(median));
  const weeks = usable.map(({ time_us }) => (time_us - first.time_us) / weekUs);
  const { slope, low, high } = fitTrend(weeks, values);
  const { p, inflation } = testTrend(values);
  const inPercent = (value: number): number => (scale === "relative" ? 100 * Math.expm1(value) : value);
  const widen = (bound: number): number => slope + Math.sqrt(inflation) * (bound - slope);
  const change = inPercent(slope * (weeks[weeks.length - 1] ?? 0));
  const isTrend = p < significant && Math.abs(change) >= smallestChange;
  return {
    host: first.host,
    name: first.name,
    unit: first.unit,
    results: usable.length,
    from_us: first.time_us,
    to_us: last.time_us,
    first: first.median,
    last: last.median,
    direction: !isTrend ? "none" : change > 0 ? "slower" : "faster",
    per_week: inPercent(slope),
    low: inPercent(widen(low)),
    high: inPercent(widen(high)),
    change,
    p,
    recent_change: compareRecent(usable, scale === "relative"),
  };
}

/** The rule of the Python suite that this replaces: the mean of the last three against that of all before. */
function compareRecent(results: readonly Result[], isRelative: boolean): number | null {
  const medians = results.map(({ median }) => median);
  const [rest, late] = [medians.slice(0, -recent), medians.slice(-recent)];
  if (rest.length === 0) return null;
  const [was, is] = [mean(rest), mean(late)];
  return isRelative ? 100 * (is / was - 1) : is - was;
}

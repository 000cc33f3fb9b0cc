import { median } from "../quantiles.js";
import { estimateNoise } from "./change-points.js";
import { describeLevels, type LevelChange } from "./level-changes.js";
import { findLineBreaks, mostCorrelated, scoreSegments } from "./piecewise-linear.js";
import { findSeason } from "./seasons.js";
import { findSteps, removeSpikes } from "./step-search.js";

/** A lasting change in a series: of its level, or of the line that it follows. */
export interface SeriesChange extends LevelChange {
  readonly kind: "level" | "line";
}

/** From so many changes of level on, lines are tried too. */
const suspicious = 3;

/** Median size of steps over so many samples. */
function measureSteps(values: ArrayLike<number>, lag: number): number {
  return median(Float64Array.from({ length: values.length - lag }, (_, i) => Math.abs(values[i + lag] - values[i])));
}

/**
 * Whether a series trends rather than stays on levels: steps over two samples are then larger than noise of any
 * autocorrelation makes them, by the ratio of their variance to that of steps over one. It is 1 + ρ for AR(1) noise, at
 * most 2 for a random walk, and 4 for a line. Of a steep line, whose steps are all alike, the medians tell.
 */
function isTrending(values: ArrayLike<number>): boolean {
  const n = values.length;
  const [near, far] = [measureSteps(values, 1), measureSteps(values, 2)];
  return (
    estimateNoise(values).ratio > 2 + Math.max(5 / Math.sqrt(n), 45 / n) ||
    (near > 0 && (far / near) ** 2 > Math.min(3.8, 3 + Math.max(3 / Math.sqrt(n), 20 / n)))
  );
}

/** A trend in fewer values must explain them better than noise does that hangs together. */
const fewestToTrend = 100;
/** The highest correlation that such noise is taken to have. */
const mostNoisy = 0.95;
/** So much lower a criterion is very strong evidence: Kass & Raftery, "Bayes Factors", JASA 90 (1995), say 10. */
const strongEvidence = 20;

/** Whether lines explain a series far better than noise around one level, however it hangs together. */
function isBeyondNoise(values: ArrayLike<number>, lines: readonly number[]): boolean {
  const forNoise = scoreSegments(values, [], "level", mostNoisy);
  return scoreSegments(values, lines, "line", mostCorrelated) + strongEvidence < forNoise;
}

/**
 * Finds the lasting changes of a series: of level where it stays on levels, else of the lines that it follows, which
 * levels could only imitate by many steps.
 * @param values finite numbers in order of time
 */
export function detectSeriesChanges(values: ArrayLike<number>): SeriesChange[] {
  const season = findSeason(values);
  return detectCourse(season === undefined ? values : Float64Array.from(values, (value, i) => value - season[i % season.length]));
}

function detectCourse(values: ArrayLike<number>): SeriesChange[] {
  if (values.length < 4) return [];
  if (isTrending(values)) {
    const lines = findLineBreaks(values);
    if (values.length >= fewestToTrend || isBeyondNoise(values, lines)) return describeLines(values, lines);
  }
  const levels = describeLevels(values, findSteps(values)).map((change): SeriesChange => ({ ...change, kind: "level" }));
  return describeLinesInstead(values, levels) ?? levels;
}

/**
 * Describes lines where they explain a series with less than its levels do. Few levels in noise that hangs together
 * may be a trend too; as many as three are held to what they leave over as it is.
 */
function describeLinesInstead(values: ArrayLike<number>, levels: readonly SeriesChange[]): SeriesChange[] | undefined {
  if (levels.length === 0) return undefined;
  const calm = removeSpikes(values);
  const lines = findLineBreaks(calm);
  if (lines.length > levels.length) return undefined;
  const changes = levels.map(({ index }) => index);
  const [forLines, forLevels] = levels.length >= suspicious ? [0, 0] : [mostCorrelated, 1];
  const isBetter = scoreSegments(calm, lines, "line", forLines) < scoreSegments(calm, changes, "level", forLevels);
  return isBetter ? describeLines(values, lines) : undefined;
}

function describeLines(values: ArrayLike<number>, breaks: readonly number[]): SeriesChange[] {
  const all = Float64Array.from(values);
  return breaks.map((index, i) => {
    const before = median(all.subarray(breaks[i - 1] ?? 0, index));
    const after = median(all.subarray(index, breaks[i + 1] ?? all.length));
    // Of a line that bends there is no test of two levels: the criterion chose it.
    return { index, before, after, confidence: 1, kind: "line" };
  });
}

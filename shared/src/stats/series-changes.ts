import { detectLevelChanges, estimateNoise, type LevelChange } from "./change-points.js";
import { findLineBreaks, scoreSegments } from "./piecewise-linear.js";
import { median } from "./quantiles.js";

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
  const [near, far] = [measureSteps(values, 1), measureSteps(values, 2)];
  return (
    estimateNoise(values).ratio > 2 + 5 / Math.sqrt(values.length) ||
    (near > 0 && (far / near) ** 2 > 3 + 3 / Math.sqrt(values.length))
  );
}

/**
 * Finds the lasting changes of a series: of level where it stays on levels, else of the lines that it follows, which
 * levels could only imitate by many steps.
 * @param values finite numbers in order of time
 */
export function detectSeriesChanges(values: ArrayLike<number>): SeriesChange[] {
  if (values.length < 4) return [];
  if (isTrending(values)) return describeLines(values, findLineBreaks(values));
  const levels = detectLevelChanges(values).map((change): SeriesChange => ({ ...change, kind: "level" }));
  if (levels.length < suspicious) return levels;
  // A trend within its noise, or many real steps: whichever explains the series with less.
  const lines = findLineBreaks(values);
  const changes = levels.map(({ index }) => index);
  const isLine = lines.length <= levels.length && scoreSegments(values, lines, "line") < scoreSegments(values, changes, "level");
  return isLine ? describeLines(values, lines) : levels;
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

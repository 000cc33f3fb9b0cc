import { rankValues } from "../autocorrelation.js";
import { normalCdf } from "../distributions.js";
import { segmentLevels } from "./change-points.js";

/** One lasting change of level in a series. */
export interface LevelChange {
  /** Index of the first sample of the new level. */
  readonly index: number;
  /** Medians of the levels before and after. */
  readonly before: number;
  readonly after: number;
  /** 1 − p of the two-sided Mann–Whitney test between the two levels' samples; not corrected for the search. */
  readonly confidence: number;
}

/** Mann & Whitney (1947) by the normal approximation with continuity and tie corrections. */
function testDifference(before: Float64Array, after: Float64Array): number {
  const [n, m] = [before.length, after.length];
  const pooled = Float64Array.from([...before, ...after]);
  const ranks = rankValues(pooled);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += ranks[i];
  const counts = new Map<number, number>();
  for (const value of pooled) counts.set(value, (counts.get(value) ?? 0) + 1);
  let ties = 0;
  for (const count of counts.values()) ties += count ** 3 - count;
  const total = n + m;
  const spread = Math.sqrt(((n * m) / 12) * (total + 1 - ties / (total * (total - 1))));
  const u = sum - (n * (n - 1)) / 2;
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5);
  return spread === 0 ? 1 : 2 * (1 - normalCdf(distance / spread));
}

/** Describes changes that were found by the medians before and after. */
export function describeLevels(values: ArrayLike<number>, changes: readonly number[]): LevelChange[] {
  const levels = segmentLevels(values, changes);
  const all = Float64Array.from(values);
  return changes.map((index, i) => {
    const before = all.subarray(changes[i - 1] ?? 0, index);
    const after = all.subarray(index, changes[i + 1] ?? all.length);
    return { index, before: levels[i], after: levels[i + 1], confidence: 1 - testDifference(before, after) };
  });
}

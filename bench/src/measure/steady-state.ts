import type { SteadyState } from "@fleetmark/shared/model/result";
import { findChangePoints, segmentLevels } from "@fleetmark/shared/stats/changes/change-points";
import { median } from "@fleetmark/shared/stats/quantiles";
import { madToSigma, medianAbsoluteDeviation } from "@fleetmark/shared/stats/robust";

/** Fewer samples than this say nothing about their course. */
const fewestSamples = 20;

/**
 * Levels nearer to each other than this share are one to us. Barrett et al. take 1 ms on machines whose frequency they
 * fixed; where it is free, it wanders by some percent within tenths of a second, which belongs into the interval and
 * not the verdict.
 */
const equalShare = 0.05;

/** The part at the end that must be at one level, as in Barrett et al.: 500 of 2000 iterations. */
const tailShare = 0.25;

/**
 * A level that is left again within this share of the samples is an excursion: a long collection, or another program
 * for some milliseconds. It belongs into the spread; where it is the end, nobody can say what would have come after.
 */
const excursionShare = 0.1;

export interface SteadyPart {
  readonly verdict: SteadyState;
  /** Index of the first sample of the steady part; 0 where there is none to separate. */
  readonly start: number;
}

/**
 * Classifies the course of one process run's iteration times by its levels between change points, after Barrett,
 * Bolz-Tereick, Killick, Mount & Tratt, "Virtual Machine Warmup Blows Hot and Cold", OOPSLA 2017, § 4: levels within
 * the last one's spread (here: its noise by MAD, or 5 %) are equivalent to it; the last quarter at one level is a
 * steady state; one that is left by a faster level is a slowdown, else earlier levels are warm-up.
 * @param times of the samples, in order, all positive
 */
export function classifySteadyState(times: ArrayLike<number>): SteadyPart {
  const n = times.length;
  if (n < fewestSamples) return { verdict: "unclassified", start: 0 };
  const changes = dropExcursions(times, findChangePoints(times, { shortest: Math.max(3, Math.ceil(n / 50)) }));
  const levels = segmentLevels(times, changes);
  const starts = [0, ...changes];
  const last = levels[levels.length - 1];
  const tail = Float64Array.from(times).subarray(starts[starts.length - 1]);
  const tolerance = Math.max(equalShare * last, madToSigma * medianAbsoluteDeviation(tail));
  let first = levels.length - 1;
  while (first > 0 && Math.abs(levels[first - 1] - last) <= tolerance) first--;
  const start = starts[first];
  if (start > n * (1 - tailShare) || isDrifting(times, start) || isRamp(times, Math.min(start, Math.floor(n / 2))))
    return { verdict: "no_steady_state", start: 0 };
  if (first === 0) return { verdict: "flat", start: 0 };
  const left = levels.slice(0, first);
  return { verdict: left.some((level) => level < last - tolerance) ? "slowdown" : "warmup", start };
}

/** Leaves out the changes around excursions from a level and back to it. Warm-up at the beginning is none. */
function dropExcursions(times: ArrayLike<number>, changes: readonly number[]): readonly number[] {
  const levels = segmentLevels(times, changes);
  const found = changes.findIndex((start, i) => {
    const [before, after] = [levels[i], levels[i + 2] ?? levels[i]];
    const isShort = (changes[i + 1] ?? times.length) - start < excursionShare * times.length;
    return isShort && Math.abs(after - before) <= equalShare * before;
  });
  if (found === -1) return changes;
  return dropExcursions(times, [...changes.slice(0, found), ...changes.slice(found + 2)]);
}

/** Whether the steady part's halves lie apart though each step between its levels was small: a slow drift. */
function isDrifting(times: ArrayLike<number>, start: number): boolean {
  const part = Float64Array.from(times).subarray(start);
  const half = Math.floor(part.length / 2);
  const [early, late] = [part.subarray(0, half), part.subarray(half)];
  const [before, after] = [median(early), median(late)];
  const noise = madToSigma * Math.min(medianAbsoluteDeviation(early), medianAbsoluteDeviation(late));
  return Math.abs(after - before) > Math.max(equalShare * after, 3 * noise);
}

/** Blocks whose medians show a trend, and how many of their pairs must agree on its direction, less the others. */
const rampBlocks = 10;
const rampTau = 0.8;

/**
 * Whether the part from here on still rises or falls, so fast that a run as long as this one would move by more than
 * levels may that are one to us. By Theil and Sen's slope through the medians of blocks, and Kendall's tau of them: of
 * ten that have no order one series in 3000 reaches 0.8, and of ten with a step in their middle one in 30. A ramp is
 * found so whose steps between change points are all small.
 */
function isRamp(times: ArrayLike<number>, from: number): boolean {
  const part = Float64Array.from(times).subarray(from);
  const length = Math.floor(part.length / rampBlocks);
  if (length < 3) return false;
  const levels = Array.from({ length: rampBlocks }, (_, i) => median(part.subarray(i * length, (i + 1) * length)));
  const pairs = levels.flatMap((level, i) =>
    levels.slice(i + 1).map((later, j) => ({ rise: later - level, slope: (later - level) / (j + 1) })),
  );
  const tau = pairs.reduce((sum, { rise }) => sum + Math.sign(rise), 0) / pairs.length;
  const perBlock = median(pairs.map(({ slope }) => slope));
  const noise = madToSigma * medianAbsoluteDeviation(levels.map((level, i) => level - perBlock * i));
  const moved = Math.abs(perBlock) * (times.length / length);
  return Math.abs(tau) >= rampTau && moved > Math.max(equalShare * median(levels), 3 * noise);
}

/** Samples whose median says where the course is, and how many such windows in a row say that it stays there. */
const windowSamples = 10;
const settledWindows = 20;

/** How far a window may lie from the level, as a share, and how many of the windows may lie further. */
const settledShare = 0.1;
const strayShare = 0.2;

/**
 * Returns how many samples a run took to come near the level of its steady part and stay there: what a run must be
 * longer than by far. Finer than the change points of a long run, which pass over a short beginning. All of them, if
 * it never did.
 * @param level median of the steady part
 */
export function countSettling(times: ArrayLike<number>, level: number): number {
  const all = Float64Array.from(times);
  const windows = Math.floor(all.length / windowSamples);
  const isNear = Array.from({ length: windows }, (_, i) => {
    const middle = median(all.subarray(i * windowSamples, (i + 1) * windowSamples));
    return Math.abs(middle - level) <= settledShare * level;
  });
  for (let first = 0; first < windows; first++) {
    const next = isNear.slice(first, first + settledWindows);
    if (next[0] && next.filter((near) => !near).length <= strayShare * next.length) return first * windowSamples;
  }
  return windows === 0 ? 0 : all.length;
}

const severity: readonly SteadyState[] = ["flat", "warmup", "unclassified", "slowdown", "no_steady_state"];

/** Returns the verdict that speaks for several process runs: the worst. */
export function worstVerdict(verdicts: readonly SteadyState[]): SteadyState {
  return verdicts.reduce((worst, verdict) => (severity.indexOf(verdict) > severity.indexOf(worst) ? verdict : worst), "flat");
}

import { createRandom, drawInteger } from "@fleetmark/shared/stats/random";
import { mean, variance } from "@fleetmark/shared/stats/summary";

/** Returns the index of the first value of each new level. */
export type Detector = (values: readonly number[]) => number[];

const percentOff = (value: number, from: number): number => Math.abs(value / from - 1);

/** What most continuous benchmarks do: more than 10 % off the mean of the ten before, and then anew. */
const fixedTenPercent: Detector = (values) => {
  const changes: number[] = [];
  let start = 0;
  for (let i = 1; i < values.length; i++) {
    const before = values.slice(Math.max(start, i - 10), i);
    if (percentOff(values[i], mean(before)) <= 0.1) continue;
    changes.push(i);
    start = i;
  }
  return changes;
};

/** More than five deviations off the mean of all since the last change, of which there are ten at least. */
const zScore: Detector = (values) => {
  const changes: number[] = [];
  let start = 0;
  for (let i = 10; i < values.length; i++) {
    if (i - start < 10) continue;
    const before = values.slice(start, i);
    if (Math.abs(values[i] - mean(before)) <= 5 * Math.sqrt(variance(before))) continue;
    changes.push(i);
    start = i;
  }
  return changes;
};

/** Student's t between windows of twelve on both sides above 7, where it is largest: Mozilla's way for its Talos. */
const studentWindows: Detector = (values) => {
  const [width, threshold] = [12, 7];
  const scores = values.map((_, i) => {
    if (i < width || i > values.length - width) return 0;
    const [before, after] = [values.slice(i - width, i), values.slice(i, i + width)];
    const spread = Math.sqrt((variance(before) + variance(after)) / width);
    return spread === 0 ? 0 : Math.abs(mean(after) - mean(before)) / spread;
  });
  return scores.flatMap((score, i) => {
    const near = scores.slice(Math.max(0, i - width), i + width);
    return score > threshold && score === Math.max(...near) ? [i] : [];
  });
};

/** Cumulative sums, by which the squared error around the mean of any stretch follows. */
function createSquaredError(values: readonly number[]): (start: number, end: number) => number {
  const sums = [0];
  const squares = [0];
  for (const [i, value] of values.entries()) {
    sums.push(sums[i] + value);
    squares.push(squares[i] + value * value);
  }
  return (start, end) => squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start);
}

/** Deviation by the median absolute step between neighbours. */
function estimateDeviation(values: readonly number[]): number {
  const steps = values.slice(1).map((value, i) => Math.abs(value - values[i]));
  steps.sort((a, b) => a - b);
  return (1.4826 * steps[Math.floor(steps.length / 2)]) / Math.SQRT2;
}

/** Optimal partitioning by squared error with 2σ² ln n a change: what PELT computes, Killick, Fearnhead & Eckley (2012). */
const pelt: Detector = (values) => {
  const n = values.length;
  const error = createSquaredError(values);
  const penalty = 2 * estimateDeviation(values) ** 2 * Math.log(n);
  const costs = [-penalty];
  const from = [0];
  for (let end = 1; end <= n; end++) {
    let [best, at] = [Number.POSITIVE_INFINITY, 0];
    for (let start = 0; start < end; start++) {
      const cost = costs[start] + error(start, end) + penalty;
      if (cost < best) [best, at] = [cost, start];
    }
    costs.push(best);
    from.push(at);
  }
  const changes: number[] = [];
  for (let at = from[n]; at > 0; at = from[at]) changes.unshift(at);
  return changes;
};

/** Scott & Knott (1974) by squared error, split as long as that gains 2σ² ln n. */
const binarySegmentation: Detector = (values) => {
  const error = createSquaredError(values);
  const penalty = 2 * estimateDeviation(values) ** 2 * Math.log(values.length);
  const split = (start: number, end: number): number[] => {
    let [gain, at] = [penalty, 0];
    for (let i = start + 1; i < end; i++) {
      const gained = error(start, end) - error(start, i) - error(i, end);
      if (gained > gain) [gain, at] = [gained, i];
    }
    return at === 0 ? [] : [...split(start, at), at, ...split(at, end)];
  };
  return split(0, values.length);
};

/** Absolute deviation from the median with a jump penalty: the L1 Potts functional, Storath, Weinmann & Unser (2017). */
const l1Potts: Detector = (values) => {
  const n = values.length;
  const penalty = 3 * estimateDeviation(values) * Math.log(n);
  const costs = [-penalty, ...values.map(() => Number.POSITIVE_INFINITY)];
  const from = values.map(() => 0);
  from.push(0);
  for (let start = 0; start < n; start++) {
    const sorted: number[] = [];
    for (let end = start + 1; end <= n; end++) {
      const value = values[end - 1];
      const place = sorted.findIndex((each) => each > value);
      sorted.splice(place === -1 ? sorted.length : place, 0, value);
      const middle = sorted[sorted.length >> 1];
      let cost = costs[start] + penalty;
      for (const each of sorted) cost += Math.abs(each - middle);
      if (cost < costs[end]) [costs[end], from[end]] = [cost, start];
    }
  }
  const changes: number[] = [];
  for (let at = from[n]; at > 0; at = from[at]) changes.unshift(at);
  return changes;
};

/** Where the energy distance between both sides of a stretch is largest, by their mutual distances. */
function findEnergySplit(values: readonly number[]): { at: number; distance: number } {
  const n = values.length;
  const apart = (i: number, j: number): number => Math.abs(values[i] - values[j]);
  let [within, across, beyond] = [0, 0, 0];
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) beyond += apart(i, j);
  let found = { at: 0, distance: Number.NEGATIVE_INFINITY };
  for (let at = 1; at < n; at++) {
    const moved = at - 1;
    let [toBefore, toAfter] = [0, 0];
    for (let j = 0; j < moved; j++) toBefore += apart(moved, j);
    for (let j = at; j < n; j++) toAfter += apart(moved, j);
    within += toBefore;
    beyond -= toAfter;
    across += toAfter - toBefore;
    const [a, b] = [at, n - at];
    if (a < 5 || b < 5) continue;
    const distance = ((a * b) / n) * ((2 * across) / (a * b) - (2 * within) / (a * (a - 1)) - (2 * beyond) / (b * (b - 1)));
    if (distance > found.distance) found = { at, distance };
  }
  return found;
}

/** E-divisive at p < 0.05 by 99 permutations: Matteson & James, JASA 109 (2014), sizes of 5 and more. */
const eDivisive: Detector = (values) => {
  const random = createRandom(1);
  const split = (start: number, end: number): number[] => {
    if (end - start < 10) return [];
    const stretch = values.slice(start, end);
    const { at, distance } = findEnergySplit(stretch);
    let larger = 0;
    for (let i = 0; i < 99 && larger < 5; i++) {
      const shuffled = [...stretch];
      for (let j = shuffled.length - 1; j > 0; j--) {
        const k = drawInteger(random, j + 1);
        [shuffled[j], shuffled[k]] = [shuffled[k], shuffled[j]];
      }
      if (findEnergySplit(shuffled).distance >= distance) larger++;
    }
    return larger >= 5 ? [] : [...split(start, start + at), start + at, ...split(start + at, end)];
  };
  return split(0, values.length);
};

/** What others do, by name. */
export const references: Readonly<Record<string, Detector>> = {
  "fixed 10 %": fixedTenPercent,
  "z-score > 5": zScore,
  "Student's t, windows": studentWindows,
  "PELT, BIC": pelt,
  "binary segmentation": binarySegmentation,
  "L1 Potts": l1Potts,
  "E-divisive": eDivisive,
};

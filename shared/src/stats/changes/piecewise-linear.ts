/*
 * Splits a series into segments of one straight line each, by least squares: segment neighbourhood (Auger & Lawrence
 * 1989) for every number of segments up to a bound, of which the Bayesian information criterion chooses one (Schwarz
 * 1978).
 */

/** Most segments that are tried. */
const mostSegments = 20;
/** Longer series are looked at by the means of equal blocks, so many of them; breaks are then found again within. */
const mostPoints = 1000;

/** A segment has a beginning, a level and, as a line, a slope. */
const lineParameters = 3;
const levelParameters = 2;

/** Sums from which the residual of a line through any stretch follows at once. */
interface Sums {
  readonly y: Float64Array;
  readonly xy: Float64Array;
  readonly yy: Float64Array;
}

function sumUp(values: ArrayLike<number>): Sums {
  const n = values.length;
  const sums = { y: new Float64Array(n + 1), xy: new Float64Array(n + 1), yy: new Float64Array(n + 1) };
  for (let i = 0; i < n; i++) {
    sums.y[i + 1] = sums.y[i] + values[i];
    sums.xy[i + 1] = sums.xy[i] + i * values[i];
    sums.yy[i + 1] = sums.yy[i] + values[i] * values[i];
  }
  return sums;
}

/** Sum of squared residuals of the line through samples from `start` to before `end`. */
function fitResidual({ y, xy, yy }: Sums, start: number, end: number): number {
  const n = end - start;
  const meanX = (start + end - 1) / 2;
  const squaresX = (n * (n * n - 1)) / 12;
  const sumY = y[end] - y[start];
  const crossed = xy[end] - xy[start] - meanX * sumY;
  const squaresY = yy[end] - yy[start] - (sumY * sumY) / n;
  return Math.max(0, squaresY - (squaresX === 0 ? 0 : (crossed * crossed) / squaresX));
}

/** Returns means of blocks of so many samples; the last block may be shorter. */
function takeBlocks(values: ArrayLike<number>, length: number): Float64Array {
  return Float64Array.from({ length: Math.ceil(values.length / length) }, (_, block) => {
    const end = Math.min(values.length, (block + 1) * length);
    let sum = 0;
    for (let i = block * length; i < end; i++) sum += values[i];
    return sum / (end - block * length);
  });
}

/** The best breaks for each number of segments, by dynamic programming; `residuals[k]` is that of k + 1 segments. */
function splitBest(values: ArrayLike<number>, shortest: number): { residuals: number[]; breaksOf: (k: number) => number[] } {
  const n = values.length;
  const sums = sumUp(values);
  const most = Math.min(mostSegments, Math.floor(n / shortest));
  let costs = Float64Array.from({ length: n + 1 }, (_, end) =>
    end < shortest ? Number.POSITIVE_INFINITY : fitResidual(sums, 0, end),
  );
  const from: Int32Array[] = [new Int32Array(n + 1)];
  const residuals = [costs[n]];
  for (let k = 1; k < most; k++) {
    const next = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
    const begins = new Int32Array(n + 1);
    for (let end = (k + 1) * shortest; end <= n; end++) {
      for (let start = k * shortest; start <= end - shortest; start++) {
        const cost = costs[start] + fitResidual(sums, start, end);
        if (cost < next[end]) [next[end], begins[end]] = [cost, start];
      }
    }
    costs = next;
    from.push(begins);
    residuals.push(costs[n]);
  }
  const breaksOf = (k: number): number[] => {
    const breaks: number[] = [];
    for (let at = n, left = k; left > 0; left--) {
      at = from[left][at];
      breaks.unshift(at);
    }
    return breaks;
  };
  return { residuals, breaksOf };
}

/** Moves a break of blocks to the sample within reach at which the lines on both sides fit best. */
function refine(sums: Sums, at: number, reach: number, before: number, after: number, shortest: number): number {
  let best = at;
  let least = Number.POSITIVE_INFINITY;
  for (let i = Math.max(before + shortest, at - reach); i <= Math.min(after - shortest, at + reach); i++) {
    const cost = fitResidual(sums, before, i) + fitResidual(sums, i, after);
    if (cost < least) [least, best] = [cost, i];
  }
  return best;
}

/** Bayesian information criterion of so many parameters that leave a sum of squared residuals. */
function score(residual: number, n: number, parameters: number): number {
  return n * Math.log(Math.max(residual, Number.MIN_VALUE) / n) + parameters * Math.log(n);
}

type SegmentKind = "line" | "level";

/** What lines or levels between breaks leave over. */
function fitSegments(values: ArrayLike<number>, breaks: readonly number[], kind: SegmentKind): Float64Array {
  const rest = new Float64Array(values.length);
  for (const [i, start] of [0, ...breaks].entries()) {
    const end = breaks[i] ?? values.length;
    const middle = (start + end - 1) / 2;
    let [sum, crossed, squares] = [0, 0, 0];
    for (let at = start; at < end; at++) {
      sum += values[at];
      crossed += (at - middle) * values[at];
      squares += (at - middle) ** 2;
    }
    const slope = kind === "level" || squares === 0 ? 0 : crossed / squares;
    for (let at = start; at < end; at++) rest[at] = values[at] - sum / (end - start) - slope * (at - middle);
  }
  return rest;
}

/**
 * The variance sum of the innovations of what is left over, if it hangs together as AR(1) noise does.
 * @param highest correlation that is taken for noise; more is a course that is not explained yet
 */
function sumInnovations(rest: Float64Array, highest: number): number {
  let [products, squares] = [0, 0];
  for (let i = 0; i < rest.length; i++) {
    squares += rest[i] ** 2;
    if (i > 0) products += rest[i] * rest[i - 1];
  }
  const correlation = squares === 0 ? 0 : Math.min(highest, Math.max(0, products / squares));
  return squares * (1 - correlation ** 2);
}

/**
 * Bayesian information criterion of segments between breaks, each a line or a level: the lower, the better explained.
 * @param highest correlation of neighbours that is taken for noise
 */
export function scoreSegments(values: ArrayLike<number>, breaks: readonly number[], kind: SegmentKind, highest: number): number {
  const parameters = (kind === "line" ? lineParameters : levelParameters) * (breaks.length + 1);
  return score(sumInnovations(fitSegments(values, breaks, kind), highest), values.length, parameters);
}

/** What hangs together more than this is a course that lines have not explained yet. */
export const mostCorrelated = 0.3;

/**
 * Returns the index of the first sample of each new line.
 * @param values finite numbers in order of time
 * @param shortest fewest samples of a line
 */
export function findLineBreaks(values: ArrayLike<number>, shortest = 5): number[] {
  const n = values.length;
  if (n < 2 * shortest) return [];
  const length = Math.ceil(n / mostPoints);
  const blocks = length === 1 ? values : takeBlocks(values, length);
  const { residuals, breaksOf } = splitBest(blocks, shortest);
  // What is left of a series that lines fit to rounding is no noise to be fitted.
  const floor = 1e-12 * residuals[0];
  const scores = residuals.map((_, k) => {
    const left = sumInnovations(fitSegments(blocks, breaksOf(k), "line"), mostCorrelated);
    return score(Math.max(left, floor), blocks.length, lineParameters * (k + 1));
  });
  const breaks = breaksOf(scores.indexOf(Math.min(...scores))).map((at) => at * length);
  if (length === 1) return breaks;
  const sums = sumUp(values);
  return breaks.map((at, i) => refine(sums, at, length, breaks[i - 1] ?? 0, breaks[i + 1] ?? n, shortest));
}

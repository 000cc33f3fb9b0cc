import { median } from "../quantiles.js";
import { madToSigma, medianAbsoluteDeviation } from "../robust.js";

/**
 * The optimal cost as a function of the current level θ on (low, high]: aθ² + bθ + c, with the last change before
 * sample `change`.
 */
interface Piece {
  readonly low: number;
  readonly high: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly change: number;
}

/** Loss beyond this many standard deviations counts no more: 3, as Fearnhead & Rigaill advise for the biweight loss. */
const lossBound = 3;

function minimizePiece({ low, high, a, b, c }: Piece): number {
  const vertex = a > 0 ? Math.min(high, Math.max(low, -b / (2 * a))) : low;
  return (a * vertex + b) * vertex + c;
}

/**
 * Keeps of each piece what lies under `bound`, and puts a new segment that begins at sample `change` where none does.
 */
function prunePieces(pieces: readonly Piece[], bound: number, change: number): Piece[] {
  const kept: Piece[] = [];
  const fill = (low: number, high: number): void => {
    const last = kept.at(-1);
    if (last?.change === change) kept[kept.length - 1] = { ...last, high };
    else if (high > low) kept.push({ low, high, a: 0, b: 0, c: bound, change });
  };
  for (const piece of pieces) {
    const { low, high, a, b, c } = piece;
    if (minimizePiece(piece) >= bound) {
      fill(low, high);
      continue;
    }
    if (a === 0) {
      kept.push(piece);
      continue;
    }
    const half = Math.sqrt(Math.max(0, b * b - 4 * a * (c - bound))) / (2 * a);
    const [from, to] = [Math.max(low, -b / (2 * a) - half), Math.min(high, -b / (2 * a) + half)];
    if (from > low) fill(low, from);
    kept.push({ ...piece, low: from, high: to });
    if (to < high) fill(to, high);
  }
  return kept;
}

/**
 * Pieces are not split nearer to their ends than this, in standard deviations: where the loss bends it is hardly
 * another on the one side than on the other, and without this noise that hangs together, whose penalty is large, would
 * keep some pieces for each sample.
 */
const narrowest = 0.1;

/** Adds the loss of one sample, min((y − θ)², bound²), which splits pieces at y ± bound. */
function addLoss(pieces: readonly Piece[], y: number): Piece[] {
  const [near, far] = [y - lossBound, y + lossBound];
  const grown: Piece[] = [];
  const add = (piece: Piece, low: number, high: number): void => {
    const { a, b, c } = piece;
    if (Math.abs((low + high) / 2 - y) >= lossBound) grown.push({ ...piece, low, high, c: c + lossBound ** 2 });
    else grown.push({ ...piece, low, high, a: a + 1, b: b - 2 * y, c: c + y * y });
  };
  for (const piece of pieces) {
    const { low, high } = piece;
    const isCut = (at: number): boolean => at > low + narrowest && at < high - narrowest;
    const from = isCut(near) ? near : low;
    const to = isCut(far) ? far : high;
    if (from > low) add(piece, low, from);
    add(piece, from, to);
    if (to < high) add(piece, to, high);
  }
  return grown;
}

/**
 * Splits standardised samples into segments of one level each so that robust loss + penalty × changes is least: R-FPOP,
 * Fearnhead & Rigaill, "Changepoint Detection in the Presence of Outliers", JASA 114 (2019), algorithms 1–3. Exact, and
 * near O(n log n) with changes or without, where PELT (Killick et al. 2012) needs changes to prune.
 */
function segment(samples: Float64Array, penalty: number): number[] {
  let [lowest, highest] = [samples[0], samples[0]];
  for (const y of samples) [lowest, highest] = [Math.min(lowest, y), Math.max(highest, y)];
  const changeBefore = new Uint32Array(samples.length + 1);
  let pieces: Piece[] = [{ low: lowest - 1, high: highest + 1, a: 0, b: 0, c: 0, change: 0 }];
  for (let t = 0; t < samples.length; t++) {
    pieces = addLoss(pieces, samples[t]);
    let best = Number.POSITIVE_INFINITY;
    for (const piece of pieces) {
      const cost = minimizePiece(piece);
      if (cost < best) [best, changeBefore[t + 1]] = [cost, piece.change];
    }
    pieces = prunePieces(pieces, best + penalty, t + 1);
  }
  const changes: number[] = [];
  for (let end = changeBefore[samples.length]; end > 0; end = changeBefore[end]) changes.unshift(end);
  return changes;
}

interface Noise {
  /** Standard deviation; 0 where no two neighbours differ. */
  readonly deviation: number;
  /** Lag-1 autocorrelation, from 0 to 0.9; 0 where it can't be told from none. */
  readonly correlation: number;
  /** Variance of steps over two samples by that of steps over one; 1 where no two neighbours differ. */
  readonly ratio: number;
}

function takeSteps(values: ArrayLike<number>, lag: number): Float64Array {
  return Float64Array.from({ length: values.length - lag }, (_, i) => values[i + lag] - values[i]);
}

/**
 * Standard deviation of numbers around zero, outliers held to three deviations by MAD: nearly as sharp as the plain
 * one, where the MAD by itself scatters half as much again.
 */
function estimateDeviation(steps: Float64Array): number {
  const bound = 3 * madToSigma * medianAbsoluteDeviation(steps);
  const total = steps.reduce((sum, step) => sum + Math.min(step * step, bound * bound), 0);
  return Math.sqrt(total / steps.length);
}

/**
 * Estimates the noise from the steps between neighbours and next neighbours, which level changes hardly touch. For
 * AR(1) their variances are 2σ²(1 − ρ) and 2σ²(1 − ρ²): Chakar, Lebarbier, Lévy-Leduc & Robin, "A robust approach for
 * estimating change-points in the mean of an AR(1) process", Bernoulli 23 (2017), eq. 5, with a winsorized deviation
 * for their Qₙ.
 */
export function estimateNoise(values: ArrayLike<number>): Noise {
  const steps = takeSteps(values, 1);
  const near = estimateDeviation(steps);
  if (near === 0) {
    // Mostly equal neighbours, as a coarse clock or a counter gives: the mean step still tells noise from level.
    const total = steps.reduce((sum, step) => sum + Math.abs(step), 0);
    return { deviation: (total / steps.length) * (Math.sqrt(Math.PI) / 2), correlation: 0, ratio: 1 };
  }
  const far = estimateDeviation(takeSteps(values, 2));
  const ratio = (far / near) ** 2;
  const estimate = ratio - 1;
  const correlation = estimate > 2 / Math.sqrt(values.length) ? Math.min(0.9, estimate) : 0;
  return { deviation: near / Math.sqrt(2 * (1 - correlation)), correlation, ratio };
}

/** Returns the level (median) of each segment between the changes. */
export function segmentLevels(values: ArrayLike<number>, changes: readonly number[]): number[] {
  const all = Float64Array.from(values);
  return [0, ...changes].map((start, i) => median(all.subarray(start, changes[i] ?? all.length)));
}

/**
 * Leaves out changes that would make a segment shorter than `shortest`, the one nearer to the end of a short segment
 * first.
 */
function dropShort(changes: readonly number[], length: number, shortest: number): number[] {
  const kept: number[] = [];
  for (const change of changes) if (change - (kept.at(-1) ?? 0) >= shortest) kept.push(change);
  while (kept.length > 0 && length - kept[kept.length - 1] < shortest) kept.pop();
  return kept;
}

export interface ChangePointOptions {
  /** Fewest samples of a segment; shorter excursions count as outliers. Default 3. */
  readonly shortest?: number;
}

/**
 * Returns the index of the first sample of each new level. Outliers are no changes. The penalty per change is 3 ln n
 * noise variances, times (1 + ρ) / (1 − ρ) for noise with lag-1 autocorrelation ρ, whose long waves look like levels.
 * @param values finite numbers in order of time
 */
export function findChangePoints(values: ArrayLike<number>, options: ChangePointOptions = {}): number[] {
  const shortest = options.shortest ?? 3;
  const n = values.length;
  if (n < 2 * shortest || n < 4) return [];
  const { deviation, correlation } = estimateNoise(values);
  if (deviation === 0) return [];
  const centre = median(values);
  const standardised = Float64Array.from(values, (value) => (value - centre) / deviation);
  const penalty = (3 * Math.log(Math.max(n, 100)) * (1 + correlation)) / (1 - correlation);
  return dropShort(segment(standardised, penalty), n, shortest);
}

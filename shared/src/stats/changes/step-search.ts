import { median } from "../quantiles.js";
import { type Autoregression, estimateAutoregression } from "./autoregression.js";

/*
 * Finds the steps of a series' level under AR(1) noise: the likelihood ratio of one step, by generalised least squares,
 * at every place of every interval of a seeded set, and of all that pass a threshold the strongest first.
 */

/** Fewest values of a level; shorter ones are excursions. */
const shortest = 3;

/** Values further than this from the median of the five around them are spikes, in deviations of the noise. */
const spikeBound = 3.5;

/** Correlations are taken to be so many of their standard errors higher: what hangs together looks like levels. */
const caution = 0.5;
const highestCorrelation = 0.95;

/**
 * How much a step must explain, in variances of the noise's innovations: 12, more where few values tell the correlation
 * badly, and more in long series, which have more places. Set by simulation of AR noise up to .9 and 30 to 10 000
 * values for half a false step per thousand values: `make bench-detect` prints what it comes to on other seeds.
 */
function chooseThreshold(n: number, correlation: number): number {
  return Math.max(12 + 14 * correlation ** 2 * Math.sqrt(30 / n), 2 * Math.log(n) + 1);
}

/** Replaces spikes, of one or two values, by the median of the five around. @param values eight and more */
export function removeSpikes(values: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(values);
  return replaceSpikes(all, estimateAutoregression(all));
}

function replaceSpikes(values: Float64Array, { deviation }: Autoregression): Float64Array {
  const last = values.length - 1;
  const around = new Float64Array(5);
  return values.map((value, i) => {
    const before = values[Math.max(0, i - 1)];
    const after = values[Math.min(last, i + 1)];
    const bound = spikeBound * deviation;
    // Between its neighbours, or near to one of them, it is none: most are looked at no further.
    if (Math.abs(value - before) <= bound / 2 && Math.abs(value - after) <= bound / 2) return value;
    const from = Math.max(0, Math.min(last - 4, i - 2));
    for (let j = 0; j < 5; j++) around[j] = values[from + j];
    const near = around.sort()[2];
    return Math.abs(value - near) > bound ? near : value;
  });
}

/** Values from which the likelihood ratio of a step in any interval follows at once. */
interface Whitened {
  readonly values: Float64Array;
  readonly correlation: number;
  /** Innovations y_t − ρ y_{t−1}, by their deviation, and their sums. */
  readonly innovations: Float64Array;
  readonly sums: Float64Array;
  /** Deviation of innovations. */
  readonly deviation: number;
}

function whiten(values: Float64Array, { deviation: spread, correlation }: Autoregression): Whitened {
  const deviation = spread * Math.sqrt(1 - correlation ** 2);
  const innovations = values.map((value, i) => (value - (i === 0 ? 0 : correlation * values[i - 1])) / deviation);
  const sums = new Float64Array(values.length + 1);
  for (const [i, innovation] of innovations.entries()) sums[i + 1] = sums[i] + innovation;
  return { values, correlation, innovations, sums, deviation };
}

/** Innovations count for so many deviations at most where their tails are measured: a step is one large innovation. */
const tailBound = 4;

/** How much heavier tails are than a normal distribution's, by the fourth moment: 1 where they are no heavier. */
function measureTails({ innovations, values }: Whitened): number {
  let [squares, fourths] = [0, 0];
  for (let i = 1; i < values.length; i++) {
    const square = Math.min(innovations[i] ** 2, tailBound ** 2);
    squares += square;
    fourths += square ** 2;
  }
  return Math.max(1, ((values.length - 1) * fourths) / (3 * squares ** 2));
}

interface Step {
  readonly at: number;
  /** Twice the logarithm of the likelihood ratio. */
  readonly gain: number;
}

/**
 * The best step within an interval. A step at k adds its size to the innovation at k, and 1 − ρ of it to each later
 * one; the first value of the interval counts √(1 − ρ²), as it does for stationary noise.
 */
function findBestStep({ values, correlation, innovations, sums, deviation }: Whitened, start: number, end: number): Step {
  const rest = 1 - correlation;
  const first = Math.sqrt(1 - correlation ** 2);
  const squares = first ** 2 + (end - start - 1) * rest ** 2;
  const crossed = (first * first * values[start]) / deviation + rest * (sums[end] - sums[start + 1]);
  let best: Step = { at: start, gain: 0 };
  for (let k = start + shortest; k <= end - shortest; k++) {
    const later = end - k - 1;
    const shared = rest + later * rest ** 2;
    const own = innovations[k] + rest * (sums[end] - sums[k + 1]);
    const gain = (own - (shared * crossed) / squares) ** 2 / (1 + later * rest ** 2 - shared ** 2 / squares);
    if (gain > best.gain) best = { at: k, gain };
  }
  return best;
}

/** Each layer of intervals is shorter by this factor than the one before. */
const decay = Math.SQRT1_2;

/**
 * Intervals of all lengths that overlap by half: Kovács, Bühlmann, Li & Munk, "Seeded binary segmentation", Biometrika
 * 110 (2023), definition 1.
 */
function* seedIntervals(n: number): Generator<readonly [number, number]> {
  for (let length = n; length >= 2 * shortest; length *= decay) {
    const count = 2 * Math.ceil(n / length) - 1;
    const apart = count === 1 ? 0 : (n - length) / (count - 1);
    for (let i = 0; i < count; i++) yield [Math.floor(i * apart), Math.min(n, Math.ceil(i * apart + length))];
  }
}

/** Places of steps by the strongest first; an interval that holds a found step says nothing more. */
function searchSteps(whitened: Whitened, threshold: number): number[] {
  const n = whitened.values.length;
  const candidates: (Step & { readonly start: number; readonly end: number })[] = [];
  for (const [start, end] of seedIntervals(n)) {
    const step = findBestStep(whitened, start, end);
    if (step.gain > threshold) candidates.push({ ...step, start, end });
  }
  candidates.sort((a, b) => b.gain - a.gain || a.at - b.at);
  const found: number[] = [];
  for (const { at, start, end } of candidates) {
    if (found.every((each) => each <= start || each >= end)) found.push(at);
  }
  return found.sort((a, b) => a - b);
}

/** Moves each step to its best place between its neighbours, and drops the weakest as long as one is too weak. */
function settleSteps(whitened: Whitened, steps: readonly number[], threshold: number): number[] {
  let places = [...steps];
  for (;;) {
    const settled: Step[] = [];
    for (const [i] of places.entries()) {
      settled.push(findBestStep(whitened, settled[i - 1]?.at ?? 0, places[i + 1] ?? whitened.values.length));
    }
    const weakest = settled.reduce((low, each, i) => (each.gain < settled[low].gain ? i : low), 0);
    const isDone = settled.length === 0 || settled[weakest].gain > threshold;
    places = settled.map(({ at }) => at);
    if (isDone) return places;
    places.splice(weakest, 1);
  }
}

/** Standard error of a correlation of noise, times √n. */
const correlationError = 1.15;

function searchUnder(noise: Autoregression, values: Float64Array): number[] {
  const n = values.length;
  const correlation = Math.min(highestCorrelation, noise.correlation + (caution * correlationError) / Math.sqrt(n));
  const whitened = whiten(values, { deviation: noise.deviation, correlation });
  const threshold = chooseThreshold(n, correlation) * Math.sqrt(measureTails(whitened));
  const steps = settleSteps(whitened, searchSteps(whitened, threshold), threshold);
  // What is there is settled; where it is, the likeliest correlation tells best.
  const likeliest = whiten(values, noise);
  return steps.map((_, i) => findBestStep(likeliest, steps[i - 1] ?? 0, steps[i + 1] ?? n).at);
}

/** Values less their level between steps. */
function removeLevels(values: Float64Array, steps: readonly number[]): Float64Array {
  const rest = Float64Array.from(values);
  for (const [i, start] of [0, ...steps].entries()) {
    const part = rest.subarray(start, steps[i] ?? rest.length);
    const level = median(part);
    for (const [j, value] of part.entries()) part[j] = value - level;
  }
  return rest;
}

/**
 * Returns the index of the first value of each new level.
 * @param values finite numbers in order of time
 */
export function findSteps(values: ArrayLike<number>): number[] {
  if (values.length < 8) return [];
  const centre = median(values);
  const raw = Float64Array.from(values, (value) => value - centre);
  const clean = removeSpikes(raw);
  const noise = estimateAutoregression(clean);
  if (noise.deviation === 0) return [];
  const steps = searchUnder(noise, clean);
  if (steps.length === 0) return steps;
  // Steps make noise look larger and more of one piece than it is: without them small ones are seen too.
  const rest = estimateAutoregression(removeLevels(clean, steps));
  return rest.deviation === 0 ? steps : searchUnder(rest, clean);
}

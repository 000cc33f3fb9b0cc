import { createRandom, drawInteger, type Random } from "@fleetmark/shared/stats/random";

/** A series whose changes are known: indices of the first values of new levels or lines. */
export interface LabelledSeries {
  readonly values: readonly number[];
  readonly changes: readonly number[];
}

/** Draws the next value of noise of deviation 1; calls follow each other in time. */
type DrawNoise = () => number;

const level = 100;
/** Standard deviation of noise, in the series' unit: 2 % of the level. */
const deviation = 2;

/** Box & Muller (1958). */
export function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Noise in which each value hangs together with the one before. */
function createAutoregressive(random: Random, correlation: number): DrawNoise {
  let state = drawNormal(random);
  return () => {
    state = correlation * state + Math.sqrt(1 - correlation ** 2) * drawNormal(random);
    return state;
  };
}

/** Three of ten values belong to a second mode, as of a benchmark that has a fast and a slow path. */
function createBimodal(random: Random): DrawNoise {
  const [share, distance] = [0.3, 4];
  // The mixture of two normals of deviation 1 that lie so far apart.
  const spread = Math.sqrt(1 + share * (1 - share) * distance ** 2);
  return () => (drawNormal(random) + (random() < share ? distance : 0) - share * distance) / spread;
}

/** Skewed to the right, as latencies are: log-normal with σ = 0.6. */
function createLogNormal(random: Random): DrawNoise {
  const sigma = 0.6;
  const centre = Math.exp(sigma ** 2 / 2);
  const spread = centre * Math.sqrt(Math.exp(sigma ** 2) - 1);
  return () => (Math.exp(sigma * drawNormal(random)) - centre) / spread;
}

/** One value of fifty lies far above. */
function createSpiky(random: Random): DrawNoise {
  return () => drawNormal(random) + (random() < 0.02 ? 5 + 25 * random() : 0);
}

/** Rounded to whole deviations, as a coarse clock gives. */
function createQuantised(random: Random): DrawNoise {
  return () => Math.round(drawNormal(random));
}

export const noises: Readonly<Record<string, (random: Random) => DrawNoise>> = {
  normal: (random) => createAutoregressive(random, 0),
  "AR .3": (random) => createAutoregressive(random, 0.3),
  "AR .6": (random) => createAutoregressive(random, 0.6),
  "AR .8": (random) => createAutoregressive(random, 0.8),
  "AR .9": (random) => createAutoregressive(random, 0.9),
  "log-normal": createLogNormal,
  bimodal: createBimodal,
  spiky: createSpiky,
  quantised: createQuantised,
};

/** Values around a level that never changes. */
export function drawQuiet(noise: string, n: number, seed: number): LabelledSeries {
  const draw = noises[noise](createRandom(seed));
  return { values: Array.from({ length: n }, () => level + deviation * draw()), changes: [] };
}

/** One step, somewhere in the middle half. @param percent of the level */
export function drawStep(noise: string, n: number, percent: number, seed: number): LabelledSeries {
  const random = createRandom(seed);
  const draw = noises[noise](random);
  const at = Math.floor(n / 4) + drawInteger(random, Math.floor(n / 2));
  const values = Array.from({ length: n }, (_, i) => level * (i < at ? 1 : 1 + percent / 100) + deviation * draw());
  return { values, changes: [at] };
}

/** Changes that lie at least so far apart. */
function drawPlaces(random: Random, n: number, count: number, apart: number): number[] {
  const slack = n - (count + 1) * apart;
  const cuts = Array.from({ length: count }, () => drawInteger(random, slack)).sort((a, b) => a - b);
  return cuts.map((cut, i) => cut + (i + 1) * apart);
}

function drawSign(random: Random): number {
  return random() < 0.5 ? -1 : 1;
}

/** A course without noise, with its changes. */
interface Course {
  readonly levels: readonly number[];
  readonly changes: readonly number[];
}

/** Levels that differ by 1 to 20 %, small steps being the more common. */
function drawLevels(random: Random, n: number): Course {
  const changes = drawPlaces(random, n, drawInteger(random, 5), 20);
  let now = level;
  let next = 0;
  const levels = Array.from({ length: n }, (_, i) => {
    if (i === changes[next]) {
      next++;
      now += (drawSign(random) * level * Math.exp(Math.log(20) * random())) / 100;
    }
    return now;
  });
  return { levels, changes };
}

/** Straight lines that bend, and at times break. */
function drawLines(random: Random, n: number, breakShare: number): Course {
  const changes = drawPlaces(random, n, 1 + drawInteger(random, 3), Math.floor(n / 8));
  const draw = (): number => drawSign(random) * (0.1 + 0.4 * random());
  let [now, slope, next] = [level, draw(), 0];
  const levels = Array.from({ length: n }, (_, i) => {
    if (i === changes[next]) {
      next++;
      slope = draw();
      if (random() < breakShare) now += drawSign(random) * (10 + 10 * random());
    }
    now += slope;
    return now;
  });
  return { levels, changes };
}

/** A slope that stays while levels step. */
function drawDrift(random: Random, n: number): Course {
  const { levels, changes } = drawLevels(random, n);
  const slope = (drawSign(random) * 20) / n;
  return { levels: levels.map((each, i) => each + slope * i), changes };
}

/** A pattern that comes again, of a week or a day by hours, over levels. */
function drawSeasons(random: Random, n: number): Course {
  const { levels, changes } = drawLevels(random, n);
  const period = [7, 12, 24][drawInteger(random, 3)];
  const pattern = Array.from({ length: period }, (_, i) => 6 * Math.sin((2 * Math.PI * i) / period) + 2 * drawNormal(random));
  return { levels: levels.map((each, i) => each + pattern[i % period]), changes };
}

function drawLength(random: Random): number {
  return 80 + drawInteger(random, 240);
}

function compose(draw: (random: Random, n: number) => Course, noise: string): (seed: number) => LabelledSeries {
  return (seed) => {
    const random = createRandom(seed);
    const n = drawLength(random);
    const { levels, changes } = draw(random, n);
    const add = noises[noise](random);
    return { values: levels.map((each) => each + deviation * add()), changes };
  };
}

/** A tenth of the values is missing, so that changes come earlier. */
function loseValues(draw: (seed: number) => LabelledSeries): (seed: number) => LabelledSeries {
  return (seed) => {
    const { values, changes } = draw(seed);
    const random = createRandom(seed + 1e6);
    const isKept = values.map(() => random() >= 0.1);
    return {
      values: values.filter((_, i) => isKept[i]),
      changes: changes.map((change) => isKept.slice(0, change).filter(Boolean).length),
    };
  };
}

/** Kinds of series on which detectors are compared. */
export const families: Readonly<Record<string, (seed: number) => LabelledSeries>> = {
  "levels, normal": compose(drawLevels, "normal"),
  "levels, AR .3": compose(drawLevels, "AR .3"),
  "levels, AR .6": compose(drawLevels, "AR .6"),
  "levels, AR .8": compose(drawLevels, "AR .8"),
  "levels, log-normal": compose(drawLevels, "log-normal"),
  "levels, bimodal": compose(drawLevels, "bimodal"),
  "levels, spiky": compose(drawLevels, "spiky"),
  "levels, quantised": compose(drawLevels, "quantised"),
  "levels, a tenth missing": loseValues(compose(drawLevels, "normal")),
  ramps: compose((random, n) => drawLines(random, n, 0), "normal"),
  "ramps, AR .3": compose((random, n) => drawLines(random, n, 0), "AR .3"),
  "broken lines": compose((random, n) => drawLines(random, n, 0.7), "normal"),
  "drift and levels": compose(drawDrift, "normal"),
  "seasons and levels": compose(drawSeasons, "normal"),
};

/**
 * What the engine's intervals and verdicts are worth, on process runs whose truth is known: `make bench-inference`. Seeds
 * are fixed. The last line of output is one JSON object.
 */
import { judgeChange } from "@fleetmark/shared/judgement/verdict";
import {
  compareLevels,
  countRunsNeeded,
  estimateLevel,
  estimateStagedLevel,
  type Level,
  measureSpread,
  placeLevel,
  type Spread,
  unknownSpread,
} from "@fleetmark/shared/stats/levels";
import { median } from "@fleetmark/shared/stats/quantiles";
import { createRandom, type Random } from "@fleetmark/shared/stats/random";
import { mean } from "@fleetmark/shared/stats/summary";

const samplesPerRun = 100;
const trials = 2000;
/** Half width at which the engine stops, as a factor on either side. */
const goal = 0.02;
/** What a host knows of a benchmark after some weeks: as many degrees of freedom as count at most. */
const historyRuns = 21;
const firstStages = [3, 6, 10] as const;
/** The second stage makes at most so many times the runs of the first: a budget ends. */
const mostStages = 2;

/** Box & Muller (1958). */
function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Draws the samples of one process run, in milliseconds around 1. */
type DrawRun = (random: Random) => Float64Array;

const fill = (draw: (i: number) => number): Float64Array => Float64Array.from({ length: samplesPerRun }, (_, i) => draw(i));

/** Runs that differ by so much, and samples by 3 %. */
const normalRuns =
  (between: number): DrawRun =>
  (random) => {
    const level = Math.exp(between * drawNormal(random));
    return fill(() => level * (1 + 0.03 * drawNormal(random)));
  };

/** Samples that depend on their neighbour: AR(1). */
const dependentRuns =
  (correlation: number): DrawRun =>
  (random) => {
    const level = Math.exp(0.01 * drawNormal(random));
    let state = drawNormal(random);
    return fill(() => {
      state = correlation * state + Math.sqrt(1 - correlation ** 2) * drawNormal(random);
      return level * (1 + 0.03 * state);
    });
  };

const scenarios: Readonly<Record<string, DrawRun>> = {
  "alike, normal": normalRuns(0),
  "1 % between runs": normalRuns(0.01),
  "3 % between runs": normalRuns(0.03),
  "5 % between runs": normalRuns(0.05),
  "log-normal, 1 % between": (random) => {
    const level = Math.exp(0.01 * drawNormal(random));
    return fill(() => level * Math.exp(0.3 * drawNormal(random)));
  },
  "two modes within runs": (random) => {
    const level = Math.exp(0.01 * drawNormal(random));
    return fill(() => level * (random() < 0.7 ? 1 : 1.1) * (1 + 0.01 * drawNormal(random)));
  },
  "two modes between runs": (random) => {
    const level = random() < 0.7 ? 1 : 1.1;
    return fill(() => level * (1 + 0.01 * drawNormal(random)));
  },
  "AR .6, 1 % between": dependentRuns(0.6),
  "AR .9, 1 % between": dependentRuns(0.9),
};

const drawMedians = (draw: DrawRun, random: Random, runs: number): number[] =>
  Array.from({ length: runs }, () => median(draw(random)));

/** A level as the engine comes to it: a first stage, and as many runs more as that says, within the budget. */
function measureLevel(draw: DrawRun, random: Random, firstStage: number, history: Spread): Level {
  const medians = drawMedians(draw, random, firstStage);
  const needed = countRunsNeeded(estimateLevel(medians, "relative", history), Math.log1p(goal));
  const runs = Math.min(Math.max(firstStage, needed), mostStages * firstStage);
  medians.push(...drawMedians(draw, random, runs - firstStage));
  return estimateStagedLevel(medians, firstStage, "relative", history);
}

interface Coverage {
  readonly scenario: string;
  readonly firstStage: number;
  readonly history: boolean;
  /** Percent of the 95 % intervals that hold the truth. */
  readonly covered: number;
  /** Median half width, percent. */
  readonly reach: number;
  readonly runs: number;
}

function measureCoverage(scenario: string, firstStage: number, hasHistory: boolean): Coverage {
  const draw = scenarios[scenario];
  const random = createRandom(1);
  const truth = mean(drawMedians(draw, random, 20_000).map(Math.log));
  const reaches: number[] = [];
  let covered = 0;
  let runs = 0;
  for (let trial = 0; trial < trials; trial++) {
    const history = hasHistory ? measureSpread(drawMedians(draw, random, historyRuns), "relative") : unknownSpread;
    const level = measureLevel(draw, random, firstStage, history);
    const { low, high } = placeLevel(level);
    if (Math.log(low) <= truth && truth <= Math.log(high)) covered++;
    reaches.push(50 * Math.log(high / low));
    runs += level.runs;
  }
  return {
    scenario,
    firstStage,
    history: hasHistory,
    covered: (100 * covered) / trials,
    reach: median(reaches),
    runs: runs / trials,
  };
}

interface Power {
  readonly between: number;
  readonly change: number;
  readonly firstStage: number;
  readonly history: boolean;
  /** Percent of comparisons. */
  readonly regressed: number;
  readonly improved: number;
  readonly unchanged: number;
  readonly inconclusive: number;
}

function measurePower(between: number, change: number, firstStage: number, hasHistory: boolean): Power {
  const random = createRandom(2);
  const draw = normalRuns(between);
  const slowed: DrawRun = (source) => draw(source).map((each) => each * (1 + change));
  const counts = { regressed: 0, improved: 0, unchanged: 0, inconclusive: 0 };
  for (let trial = 0; trial < trials; trial++) {
    const history = hasHistory ? measureSpread(drawMedians(draw, random, historyRuns), "relative") : unknownSpread;
    const [before, after] = [draw, slowed].map((side) => measureLevel(side, random, firstStage, history));
    const moved = compareLevels(before, after, 0.99);
    counts[judgeChange(100 * moved.change, 100 * moved.low, 100 * moved.high, 1)]++;
  }
  const share = Object.fromEntries(Object.entries(counts).map(([verdict, count]) => [verdict, (100 * count) / trials]));
  return { between, change, firstStage, history: hasHistory, ...(share as typeof counts) };
}

const known = (history: boolean): string => (history ? "history" : "none   ");
const write = (line: string): void => void process.stdout.write(`${line}\n`);

write(`coverage of 95 % intervals, ${trials} trials each; first stage of 3, 6 and 10 runs`);
const coverage = Object.keys(scenarios).flatMap((scenario) =>
  [false, true].flatMap((history) => {
    const rows = firstStages.map((firstStage) => measureCoverage(scenario, firstStage, history));
    const cells = rows.map(
      ({ covered, reach, runs }) => `${covered.toFixed(1)} % (±${reach.toFixed(1)} %, ${runs.toFixed(1)} runs)`,
    );
    write(`${scenario.padEnd(24)} ${known(history)} ${cells.join("  ")}`);
    return rows;
  }),
);
write("");
write("verdicts of two sides: regressed / improved / unchanged / inconclusive, percent");
const power = [0, 0.01, 0.03, 0.05].flatMap((between) =>
  [0, 0.02, 0.05].flatMap((change) =>
    [false, true].flatMap((history) =>
      firstStages.map((firstStage) => {
        const row = measurePower(between, change, firstStage, history);
        const shares = [row.regressed, row.improved, row.unchanged, row.inconclusive].map((each) => each.toFixed(1)).join(" / ");
        write(`${100 * between} % between runs, ${100 * change} % slower, ${firstStage} runs, ${known(history)}: ${shares}`);
        return row;
      }),
    ),
  ),
);
write(JSON.stringify({ trials, samples_per_run: samplesPerRun, coverage, power }));

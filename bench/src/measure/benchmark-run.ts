import { FleetmarkError } from "@fleetmark/shared/errors";
import { estimateLevel, type Spread, unknownSpread } from "@fleetmark/shared/stats/levels";
import { median } from "@fleetmark/shared/stats/quantiles";
import type { Executor, ExecutorOptions, ProcessRun } from "../executors/executor.js";
import { chooseExecutor } from "../executors/registry.js";
import { readClock } from "../machine/clock.js";
import { type CoreLoads, chooseCore, listPinnableCores, readCoreLoads } from "../machine/cores.js";
import { hadToWait } from "../machine/disturbance.js";
import { estimateFullPace, measuredPace, recordPace } from "../machine/pace.js";
import { keepKnownFlags } from "../machine/v8-flags.js";
import type { Benchmark } from "../workloads/workload.js";
import {
  chooseRuns,
  countWarmup,
  type Estimate,
  estimateRuns,
  isSettled,
  type JudgedRun,
  judgeDisturbance,
  judgeRun,
  listPaces,
  unitOf,
} from "./judged-run.js";
import { countWantedRuns, meetsGoal, planNextRun, type RepetitionLimits, type RunPlan } from "./repetition.js";

/*
 * One benchmark: fresh process after fresh process, each planned by what the ones before it gave.
 *
 *   plan ──► core ──► process run ──► judge ──► which runs count? ──► narrow enough, or budget spent?
 *     ▲                (executor)                                        │ no           │ yes
 *     └──────────────────────────────────────────────────────────────────┘              └──► Measurement
 */

/** What is known of a benchmark's process runs on this host from before. */
export interface RunHistory {
  /** How their medians differed. */
  readonly spread: Spread;
  /** Of the newest result. */
  readonly iterationsPerSample: number;
}

export interface MeasureOptions {
  readonly taskModule: string;
  readonly seed: number;
  readonly budgetS: number;
  /** Relative half width of the 95 % interval of the median at which measuring stops. */
  readonly goal: number;
  readonly history?: RunHistory | undefined;
  /** For one process run; default: a minute and three times the budget. */
  readonly timeoutS?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onQuiet?: ((quiet: boolean) => void) | undefined;
}

/** All that was measured of one benchmark. */
export interface Measurement {
  readonly benchmark: Benchmark;
  /** All runs, and those of them that count. */
  readonly made: readonly JudgedRun[];
  readonly runs: readonly JudgedRun[];
  readonly estimate: Estimate;
  readonly conclusive: boolean;
  readonly durationS: number;
}

/** Six runs tell by how much runs differ: with three, an interval would be two thirds wider. */
const manySamples: RepetitionLimits = { fewestRuns: 6, mostRuns: 40, fewestSamples: 20, mostSamples: 4000 };
const oneSample: RepetitionLimits = { fewestRuns: 6, mostRuns: 20, fewestSamples: 1, mostSamples: 1 };

/**
 * What the first process is assumed to cost beside its samples, before any was measured, and how many runs are planned
 * for.
 */
const assumedRunCostS = 0.4;
const plannedRuns = 7;

/** Asked once. */
let pinnable: Promise<readonly number[]> | undefined;

/** A benchmark under way. */
interface Series {
  readonly benchmark: Benchmark;
  readonly options: MeasureOptions;
  readonly executor: Executor;
  /** What it is measured beside: their samples are to be alike. */
  readonly beside: Series | undefined;
  /** Seconds that its processes took so far. */
  spentS: number;
  made: readonly JudgedRun[];
  /** Seconds that each process took beside its samples. */
  readonly costs: number[];
  /** As they were when the last core was chosen. */
  loads: CoreLoads;
}

/** What the runs made so far amount to. */
interface Standing extends Pick<Measurement, "runs" | "estimate" | "conclusive"> {
  readonly limits: RepetitionLimits;
}

async function openSeries(asked: Benchmark, options: MeasureOptions, executor: Executor, beside?: Series): Promise<Series> {
  const benchmark = await dropUnknownFlags(asked);
  return { benchmark, options, executor, beside, spentS: 0, made: [], costs: [], loads: readCoreLoads() };
}

/** Makes a process run. Returns the plan of the next. */
async function advance(series: Series, plan: RunPlan): Promise<RunPlan | "stop"> {
  const run = await makeRun(series, plan);
  return series.options.signal?.aborted ? "stop" : planNext(series, assess(series), run);
}

function conclude(series: Series): Measurement {
  const { runs, estimate, conclusive } = assess(series);
  return { benchmark: series.benchmark, made: series.made, runs, estimate, conclusive, durationS: series.spentS };
}

/**
 * Measures a benchmark in fresh processes until the interval of its median is narrow enough or its budget is spent.
 * @throws FleetmarkError as its executor does, and BENCHMARK_FAILED when its processes ran on different devices
 */
export async function measureBenchmark(
  asked: Benchmark,
  options: MeasureOptions,
  executor = chooseExecutor(asked),
): Promise<Measurement> {
  const series = await openSeries(asked, options, executor);
  for (let plan: RunPlan | "stop" = planFirstRun(options.budgetS); plan !== "stop"; ) plan = await advance(series, plan);
  return conclude(series);
}

/** One of two builds of a benchmark. */
export interface Side {
  readonly benchmark: Benchmark;
  readonly taskModule: string;
}

/**
 * Measures two builds of a benchmark, process by process in turns and in the order A B B A: what changes of the machine
 * meanwhile changes for both. Their samples are means of equally many iterations, unless one is more than twice as
 * quick: its samples would be too short for the clock.
 * @param options whose budget is for both together
 * @throws FleetmarkError as `measureBenchmark` does
 */
export async function measureInTurns(
  sides: readonly [Side, Side],
  { budgetS, ...options }: Omit<MeasureOptions, "taskModule">,
  executors = sides.map(({ benchmark }) => chooseExecutor(benchmark)),
): Promise<[Measurement, Measurement]> {
  const open = ({ benchmark, taskModule }: Side, i: number, beside?: Series): Promise<Series> =>
    openSeries(benchmark, { ...options, taskModule, budgetS: budgetS / 2 }, executors[i], beside);
  const first = await open(sides[0], 0);
  const second = await open(sides[1], 1, first);
  const series = [first, second];
  const plans: (RunPlan | "stop")[] = series.map(() => planFirstRun(budgetS / 2));
  for (let turn = 0; plans.some((plan) => plan !== "stop"); turn++) {
    for (const i of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      const plan = plans[i];
      if (plan !== "stop") plans[i] = await advance(series[i], plan);
    }
  }
  return [conclude(first), conclude(second)];
}

/** Leaves out flags that this V8 does not know. The result then says by which it was measured. */
async function dropUnknownFlags({ v8Flags = [], ...benchmark }: Benchmark): Promise<Benchmark> {
  const known = await keepKnownFlags(v8Flags);
  return known.length === 0 ? benchmark : { ...benchmark, v8Flags: known };
}

function planFirstRun(budgetS: number): RunPlan {
  const { mostSamples, fewestSamples } = manySamples;
  return { samples: mostSamples, fewestSamples, limitS: Math.max(0.1, budgetS / plannedRuns - assumedRunCostS) };
}

/**
 * Makes a process run and judges it, and the ones before it anew: what is full pace is known the better the more was
 * measured.
 */
async function makeRun(series: Series, plan: RunPlan): Promise<ProcessRun> {
  const { benchmark, options, executor } = series;
  const { taskModule, seed, signal, onQuiet } = options;
  const startedS = readClock();
  const core = await placeRun(series);
  const [known = series.beside?.made[0]] = series.made;
  const iterationsPerSample = known?.iterationsPerSample ?? options.history?.iterationsPerSample;
  const job = { benchmark, taskModule, seed, ...plan, core, iterationsPerSample, checkLeak: series.made.length === 0 };
  const limits: ExecutorOptions = {
    timeoutS: options.timeoutS ?? 60 + 3 * options.budgetS + (benchmark.lastsS ?? 0),
    signal,
    onQuiet,
  };
  const run = await executor.run(job, limits);
  checkDevice(series.made, run);
  const tookS = readClock() - startedS;
  series.spentS += tookS;
  recordPace(measuredPace, listPaces(run));
  const fullS = estimateFullPace(measuredPace);
  series.made = [...series.made.map((former) => ({ ...former, ...judgeDisturbance(former, fullS) })), judgeRun(run, fullS)];
  // The search for a leak is made once.
  series.costs.push(tookS - run.timedS - (run.memory?.leak?.tookS ?? 0));
  return run;
}

/**
 * Chooses the core of the next run. Where others keep coming onto it, the kernel's scheduler places the work better
 * than we do.
 */
async function placeRun(series: Series): Promise<number | undefined> {
  pinnable ??= listPinnableCores();
  const allowed = await pinnable;
  const before = series.loads;
  series.loads = readCoreLoads();
  const isDisplaced = series.made.some((run) => run.pinned && hadToWait(run.exposure));
  return isDisplaced ? undefined : chooseCore(allowed, before, series.loads);
}

/**
 * @throws FleetmarkError BENCHMARK_FAILED: figures of a GPU and of the CPU that it fell back to have no common median
 */
function checkDevice([first]: readonly JudgedRun[], { device }: ProcessRun): void {
  if (first === undefined || first.device === device) return;
  throw new FleetmarkError("BENCHMARK_FAILED", `it ran on ${first.device} in one process and on ${device} in another`);
}

function assess({ made, options }: Series): Standing {
  const { kind } = made[made.length - 1];
  const limits = kind === "repeat" || kind === "compare" ? manySamples : oneSample;
  const runs = chooseRuns(made, limits.fewestRuns);
  const estimate = estimateRuns(runs, limits.fewestRuns, options.seed, options.history?.spread ?? unknownSpread);
  return {
    limits,
    runs,
    estimate,
    conclusive: runs.length >= limits.fewestRuns && meetsGoal(estimate.interval, unitOf[kind], options.goal),
  };
}

/** Returns how many runs the goal needs, by the first ones; undefined as long as there are too few of them. */
function countWanted(clean: readonly JudgedRun[], firstStage: number, { goal, history }: MeasureOptions): number | undefined {
  if (clean.length < firstStage) return undefined;
  const unit = unitOf[clean[0].kind];
  const medians = clean.slice(0, firstStage).map((run) => median(run.steady));
  const scale = unit !== "%" && medians.every((each) => each > 0) ? "relative" : "absolute";
  return countWantedRuns(estimateLevel(medians, scale, history?.spread), unit, goal);
}

function planNext({ made, costs, options, spentS }: Series, { limits }: Standing, last: ProcessRun): RunPlan | "stop" {
  const clean = made.filter((run) => !run.disturbed && isSettled(run));
  return planNextRun(
    {
      runs: clean.map((run) => run.steady),
      warmupSamples: Math.max(0, ...made.filter(isSettled).map(countWarmup)),
      runsMade: made.length,
      wantedRuns: countWanted(clean, limits.fewestRuns, options),
      runCostS: median(costs),
      sampleCostS: last.timedS / last.samples.length,
      budgetS: options.budgetS,
      remainingS: options.budgetS - spentS,
    },
    limits,
  );
}

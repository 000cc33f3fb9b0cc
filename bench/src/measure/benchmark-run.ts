import type { SteadyState } from "@fleetmark/shared/model/result";
import { bootstrapMedian, type MedianInterval } from "@fleetmark/shared/stats/bootstrap";
import { median, quantile, sortNumbers } from "@fleetmark/shared/stats/quantiles";
import type { Job, ProcessRun } from "../executors/executor.js";
import { runInChild } from "../executors/node-child.js";
import { readClock } from "../machine/clock.js";
import { type CoreLoads, chooseCore, listPinnableCores, readCoreLoads } from "../machine/cores.js";
import { hadToWait, isPaceLost, listDisturbances } from "../machine/disturbance.js";
import { createPaceRecord, findPaceLoss } from "../machine/pace.js";
import type { Benchmark } from "../workloads/workload.js";
import { meetsGoal, planNextRun, type RepetitionLimits, type RunPlan } from "./repetition.js";
import { classifySteadyState, countSettling } from "./steady-state.js";

export interface MeasureOptions {
  readonly taskModule: string;
  readonly seed: number;
  readonly budgetS: number;
  /** Relative half width of the 95 % interval of the median at which measuring stops. */
  readonly goal: number;
  /** For one process run; default: a minute and three times the budget. */
  readonly timeoutS?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onQuiet?: ((quiet: boolean) => void) | undefined;
}

/** A process run with its place in the benchmark. */
export interface JudgedRun extends ProcessRun {
  readonly verdict: SteadyState;
  /** The samples from the steady state on; all where there is no steady state. */
  readonly steady: Float64Array;
  readonly disturbed: boolean;
  readonly disturbedWindows: number;
}

/** All that was measured of one benchmark. */
export interface Measurement {
  readonly benchmark: Benchmark;
  /** All runs, and those of them that count. */
  readonly made: readonly JudgedRun[];
  readonly runs: readonly JudgedRun[];
  readonly interval: MedianInterval;
  readonly conclusive: boolean;
  readonly durationS: number;
}

/** Share of a run's windows that may be disturbed in one that counts as undisturbed. */
const mostDisturbedWindows = 0.2;

/** A task of many samples per process needs three runs to tell runs apart; one of a single sample needs five. */
const manySamples: RepetitionLimits = { fewestRuns: 3, mostRuns: 40, fewestSamples: 20, mostSamples: 4000 };
const oneSample: RepetitionLimits = { fewestRuns: 5, mostRuns: 20, fewestSamples: 1, mostSamples: 1 };

/** What the first process is assumed to cost beside its samples, before any was measured, and how many runs are planned for. */
const assumedRunCostS = 0.4;
const plannedRuns = 4;

export const unitOf = { repeat: "s", compare: "%", "first-call": "s", episode: "MB" } as const;

let pinnable: readonly number[] | undefined;
/** Of all that this process has measured. */
const paces = createPaceRecord();

/**
 * Measures a benchmark in fresh processes until the interval of its median is narrow enough or its budget is spent.
 * @throws FleetmarkError as runInChild does
 */
export async function measureBenchmark(benchmark: Benchmark, options: MeasureOptions): Promise<Measurement> {
  const started = readClock();
  pinnable ??= listPinnableCores();
  let made: JudgedRun[] = [];
  const costs: number[] = [];
  let loads: CoreLoads = readCoreLoads();
  let plan: RunPlan | "stop" = {
    samples: manySamples.mostSamples,
    fewestSamples: manySamples.fewestSamples,
    limitS: Math.max(0.1, options.budgetS / plannedRuns - assumedRunCostS),
  };
  for (;;) {
    const runStarted = readClock();
    const now = readCoreLoads();
    // Where others keep coming onto the core, the kernel's scheduler places the work better than we do.
    const core = made.some((run) => run.pinned && hadToWait(run.exposure)) ? undefined : chooseCore(pinnable, loads, now);
    loads = now;
    const { taskModule, seed } = options;
    const job: Job = { benchmark, taskModule, seed, ...plan, core, checkLeak: made.length === 0 };
    const run = judgeRun(await runInChild(job, { ...options, timeoutS: options.timeoutS ?? 60 + 3 * options.budgetS }));
    // What is full pace is known the better the more was measured.
    made = [...made.map((former) => ({ ...former, ...judgeDisturbance(former, paces.fullS()) })), run];
    costs.push(readClock() - runStarted - run.timedS);
    const limits = run.kind === "repeat" || run.kind === "compare" ? manySamples : oneSample;
    const counted = chooseRuns(made, limits.fewestRuns);
    const interval = estimateInterval(counted, options.seed);
    const goalMet = counted.length >= limits.fewestRuns && meetsGoal(interval, unitOf[run.kind], options.goal);
    const clean = made.filter((each) => !each.disturbed && isSettled(each));
    plan = planNextRun(
      {
        runs: clean.map((each) => each.steady),
        warmupSamples: Math.max(0, ...made.filter(isSettled).map(countWarmup)),
        runsMade: made.length,
        goalMet: goalMet && clean.length >= limits.fewestRuns,
        runCostS: median(costs),
        sampleCostS: run.timedS / run.samples.length,
        remainingS: options.budgetS - (readClock() - started),
      },
      limits,
    );
    if (plan === "stop" || options.signal?.aborted) {
      return { benchmark, made, runs: counted, interval, conclusive: goalMet, durationS: readClock() - started };
    }
  }
}

/** Judges a process run by its course and by what disturbed it. */
export function judgeRun(run: ProcessRun): JudgedRun {
  const { verdict, start } = classifySteadyState(run.course);
  paces.note(run.windows.map(({ workS }) => workS));
  return { ...run, verdict, steady: run.samples.slice(start), ...judgeDisturbance(run, paces.fullS()) };
}

/** Judges what disturbed a process run on a machine whose reference work takes `fullS` at full pace. */
export function judgeDisturbance(
  { exposure, windows }: Pick<ProcessRun, "exposure" | "windows">,
  fullS: number,
): Pick<JudgedRun, "exposure" | "disturbed" | "disturbedWindows"> {
  const losses = windows.map(({ workS }) => findPaceLoss(workS, fullS));
  const seen = { ...exposure, paceLoss: quantile(sortNumbers(losses), 1 - mostDisturbedWindows) };
  const disturbedWindows = windows.filter(({ disturbed }, i) => disturbed || isPaceLost(losses[i])).length;
  const disturbed = listDisturbances(seen).length > 0 || disturbedWindows > mostDisturbedWindows * windows.length;
  return { exposure: seen, disturbed, disturbedWindows };
}

/** Counts the samples of a run's warm-up, by its change points or, where these passed over it, by its windows. */
function countWarmup({ samples, steady, course }: JudgedRun): number {
  const separated = samples.length - steady.length;
  return Math.max(separated, countSettling(course, median(course.subarray(separated))));
}

/** Whether a run's times came to rest, or were too few to say. */
export function isSettled({ verdict }: Pick<JudgedRun, "verdict">): boolean {
  return verdict !== "no_steady_state";
}

/** Two runs tell by how much runs differ, if badly: their interval is six times as wide as that of many. */
const fewestSettled = 2;

/**
 * Chooses the runs that count: the undisturbed ones if they are enough, else all, since a disturbed figure that says so is better
 * than none; and of these the ones that settled, if they are most. One run in which something moved then does not speak for the
 * work; where half of them did not settle, the work itself has no steady state, and says so.
 */
export function chooseRuns<R extends Pick<JudgedRun, "verdict" | "disturbed">>(made: readonly R[], enough: number): readonly R[] {
  const clean = made.filter((run) => !run.disturbed);
  const pool = clean.length >= enough ? clean : made;
  const settled = pool.filter(isSettled);
  return settled.length >= fewestSettled && 2 * settled.length > pool.length ? settled : pool;
}

/** Estimates the 95 % interval of the median from the steady samples of some runs: as a factor where they are positive amounts. */
export function estimateInterval(runs: readonly JudgedRun[], seed: number): MedianInterval {
  const samples = runs.map((run) => run.steady);
  const isPositive = unitOf[runs[0].kind] !== "%" && samples.every((run) => run.every((sample) => sample > 0));
  return bootstrapMedian(samples, { seed, scale: isPositive ? "relative" : "absolute" });
}

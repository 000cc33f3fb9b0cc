import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Category, categories, type Metadata } from "@fleetmark/shared/model/result";
import { unknownSpread } from "@fleetmark/shared/stats/levels";
import { measureProcess } from "../executors/child/process-measurement.js";
import type { Job } from "../executors/executor.js";
import { readClock } from "../machine/clock.js";
import { estimateFullPace, measuredPace, recordPace } from "../machine/pace.js";
import type { Iterate, RepeatTask } from "../workloads/workload.js";
import type { Measurement } from "./benchmark-run.js";
import { estimateRuns, judgeRun, listPaces } from "./judged-run.js";

export interface FunctionOptions {
  /** Names the result; a comparison matches by it. */
  readonly name: string;
  /** Default: external. */
  readonly category?: Category;
  /** Samples to time, a call each; where a call is too short for the clock, a sample is many calls. Default 300. */
  readonly iterations?: number;
  /**
   * Calls made before any is timed; default 1. More is seldom needed: what is not steady at the start is found and
   * left out.
   */
  readonly warmup?: number;
  /** Seconds after which no more samples are begun; default 10. */
  readonly budgetS?: number;
  /** Whatever else belongs in the result's metadata. */
  readonly [metadata: string]: Metadata[string] | undefined;
}

/** What calls return is kept here, so that the work is not optimised away. */
let kept: unknown;

/**
 * Measures a function in this process; one that returns a promise is awaited, call by call. What the function throws
 * is passed on.
 * @throws FleetmarkError CONFIG_INVALID for options that make no sense
 */
export async function measureFunction(
  fn: () => unknown,
  options: FunctionOptions,
  { seed }: { readonly seed: number },
): Promise<Measurement> {
  const { name, category = "external", iterations = 300, warmup = 1, budgetS = 10, ...rest } = options;
  checkOptions({ name, category, iterations, warmup, budgetS });
  const started = readClock();
  const iterate = await prepare(fn, warmup);
  const metadata = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Metadata;
  const processed = { unit: "calls", perIteration: 1 } as const;
  const task: RepeatTask = { kind: "repeat", iterate, processed, metadata, teardown: () => undefined };
  const benchmark = { workload: name, category, params: {}, runtime: "js", device: "cpu" };
  const job: Job = {
    benchmark,
    taskModule: "",
    seed,
    samples: iterations,
    fewestSamples: Math.min(20, iterations),
    limitS: budgetS,
    core: undefined,
    checkLeak: globalThis.gc !== undefined,
  };
  const run = await measureProcess(task, job, { setupS: readClock() - started, pinned: false });
  recordPace(measuredPace, listPaces(run));
  const runs = [judgeRun(run, estimateFullPace(measuredPace))];
  // One process says nothing of how others would differ: no goal is met by it.
  const estimate = estimateRuns(runs, 1, seed, unknownSpread);
  return { benchmark, made: runs, runs, estimate, conclusive: false, durationS: readClock() - started };
}

/** @throws FleetmarkError CONFIG_INVALID */
function checkOptions({ name, category, iterations, warmup, budgetS }: Required<Omit<FunctionOptions, symbol>>): void {
  const refuse = (what: string): never => {
    throw new FleetmarkError("CONFIG_INVALID", `benchmarkFunction: ${what}`);
  };
  if (typeof name !== "string" || name === "") refuse("name must be a text that is not empty");
  if (!(categories as readonly unknown[]).includes(category)) refuse(`category must be one of ${categories.join(", ")}`);
  if (!Number.isSafeInteger(iterations) || Number(iterations) < 1) refuse("iterations must be a whole number from 1");
  if (!Number.isSafeInteger(warmup) || Number(warmup) < 0) refuse("warmup must be a whole number from 0");
  if (!(Number(budgetS) > 0)) refuse("budgetS must be over 0");
}

/** Calls the function as often as its warm-up asks, at least once to see whether it returns a promise. */
async function prepare(fn: () => unknown, warmup: number): Promise<Iterate> {
  let isAwaited = false;
  for (let i = 0; i < Math.max(1, warmup); i++) {
    const returned = fn();
    isAwaited = returned instanceof Promise;
    kept = await returned;
  }
  if (isAwaited) {
    return async () => {
      kept = await fn();
      return typeof kept === "number" ? kept : 1;
    };
  }
  return () => {
    kept = fn();
    return typeof kept === "number" ? kept : 1;
  };
}

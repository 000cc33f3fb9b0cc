import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Category, categories, type Metadata } from "@fleetmark/shared/model/result";
import { unknownSpread } from "@fleetmark/shared/stats/levels";
import { toTimerMs } from "@fleetmark/shared/waiting";
import { z } from "zod";
import { measureProcess } from "../executors/child/process-measurement.js";
import { wrapCalls } from "../executors/child/user-function.js";
import type { Job } from "../executors/executor.js";
import { readClock } from "../machine/clock.js";
import { estimateFullPace, measuredPace, recordPace } from "../machine/pace.js";
import { type Processed, processedUnits, type RepeatTask } from "../workloads/workload.js";
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
  /**
   * Seconds after which a promise that has not settled is given up; default: a minute and three times the budget. A
   * function that never returns can't be given up.
   */
  readonly timeoutS?: number;
  /** What a call processes, for its throughput: `{ unit: "elements", perIteration: 64 }`. Default: one call. */
  readonly processed?: Processed;
  /** Milliseconds within which a controller needs a call: some thousand are then timed singly as well. */
  readonly deadlineMs?: number;
  /** Whatever else is to be said of it. */
  readonly metadata?: Metadata;
}

/**
 * Measures a function in this process; one that returns promises, or whatever else has a `then`, is awaited, call by
 * call. What the function throws is passed on, and nothing is measured of it.
 * @throws FleetmarkError CONFIG_INVALID for options that make no sense; BENCHMARK_FAILED where a promise did not settle
 * in time, or only some calls return one
 */
export async function measureFunction(fn: () => unknown, options: FunctionOptions, seed: number): Promise<Measurement> {
  const checked = checkOptions(options);
  const { budgetS, timeoutS = 60 + 3 * budgetS } = checked;
  const measuring = measureCalls(fn, checked, seed);
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new FleetmarkError("BENCHMARK_FAILED", `it did not settle within ${timeoutS} s`)),
      toTimerMs(timeoutS),
    );
  });
  // What is given up may fail later, when nobody listens.
  measuring.catch(() => {});
  return Promise.race([measuring, givenUp]).finally(() => clearTimeout(timer));
}

type Checked = ReturnType<typeof checkOptions>;

async function measureCalls(fn: () => unknown, options: Checked, seed: number): Promise<Measurement> {
  const { name, category, iterations, warmup, budgetS, processed, deadlineMs, metadata } = options;
  const started = readClock();
  const iterate = await wrapCalls(fn, warmup);
  const deadline = deadlineMs === undefined ? {} : { deadlineS: deadlineMs / 1e3 };
  const task: RepeatTask = { kind: "repeat", iterate, processed, metadata, ...deadline, teardown: () => undefined };
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

const positive = z.number().positive();

const optionsSchema = z.strictObject({
  name: z.string().min(1),
  category: z.enum(categories).default("external"),
  iterations: z.int().positive().default(300),
  warmup: z.int().nonnegative().default(1),
  budgetS: positive.default(10),
  timeoutS: positive.optional(),
  processed: z.strictObject({ unit: z.enum(processedUnits), perIteration: positive }).default({ unit: "calls", perIteration: 1 }),
  deadlineMs: positive.optional(),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).default({}),
});

/** @throws FleetmarkError CONFIG_INVALID */
function checkOptions(options: FunctionOptions): z.infer<typeof optionsSchema> {
  const parsed = optionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map(({ path, message }) =>
    [path.join("."), message].filter((part) => part !== "").join(": "),
  );
  throw new FleetmarkError("CONFIG_INVALID", `benchmarkFunction: ${found.join("; ")}`, { cause: parsed.error });
}

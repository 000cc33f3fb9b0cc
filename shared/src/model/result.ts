import { z } from "zod";
import { errorMessage, FleetmarkError } from "../errors.js";
import type { Point } from "./series.js";

/** What a workload belongs to. */
export const categories = ["jax", "environment", "rl", "safety", "memory", "external"] as const;
export type Category = (typeof categories)[number];

/**
 * How one process run's iteration times behave, after Barrett et al., "Virtual Machine Warmup Blows Hot and Cold" (2017).
 * `unclassified`: too few samples to say.
 */
export const steadyStates = ["flat", "warmup", "slowdown", "no_steady_state", "unclassified"] as const;
export type SteadyState = (typeof steadyStates)[number];

const number = z.number();
const count = z.int().nonnegative();

/** Statistics over the steady samples of one benchmark, in the result's unit. Interval bounds are at 95 %. */
const statisticsShape = {
  n: count.describe("steady samples that the statistics are made of"),
  median: number.describe("in which each process run counts alike, however many samples it has"),
  median_low: number.describe("lower bound of the 95 % interval of the median"),
  median_high: number.describe("upper bound of the 95 % interval of the median"),
  mean: number,
  trimmed_mean: number.describe("mean without the lowest and highest tenth"),
  p90: number,
  p95: number,
  p99: number,
  p999: number,
  min: number,
  max: number,
  stddev: number,
  mad: number.describe("median absolute deviation"),
  cv: number.describe("coefficient of variation: stddev / |mean|"),
  outliers_low: count.describe("samples under the lower Tukey fence; kept in the statistics"),
  outliers_high: count.describe("samples over the upper Tukey fence; kept in the statistics"),
};

/** The statistics of one benchmark in one run. The first nine keys are those of the Python suite that this replaces. */
export const resultSchema = z.object({
  name: z.string().describe("the benchmark with its parameters, runtime and device"),
  category: z.enum(categories),
  duration: number.describe("seconds that the benchmark took in all, processes and warm-up included"),
  memory_peak_mb: number.describe("peak resident memory of the isolated process, MB (10^6 bytes)"),
  memory_current_mb: number.describe("resident memory of the isolated process at its end, MB"),
  cpu_percent: number.describe("CPU time of the isolated process per wall time of its timed part, 100 = one core"),
  iterations: count.describe("timed iterations in all"),
  throughput: number.describe("what was processed per second at the median, in throughput_unit; 0 where that has no meaning"),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),

  benchmark: z.string().describe("the workload's name"),
  params: z.string().describe("the workload's parameters as key=value, in order, joined by commas"),
  runtime: z.string().describe("what executes tensor code; js where none is used"),
  device: z.string(),
  suite: z.string(),
  run: z.string(),
  host: z.string(),
  hw_class: z.string(),
  time_us: count.describe("when the benchmark ended, microseconds since the Unix epoch"),
  quantity: z.enum(["time", "overhead", "memory"]).describe("what a sample is: time per iteration, relative overhead, or memory"),
  unit: z.enum(["s", "%", "MB"]),
  throughput_unit: z.string(),
  process_runs: count.describe("fresh processes that contributed samples"),
  iterations_per_sample: count,
  steady_state: z.enum(steadyStates).describe("the worst verdict among the process runs that count"),
  conclusive: z.enum(["yes", "no"]).describe("whether the interval of the median met its goal within the time budget"),
  disturbance: z.string().describe("what disturbed the measurement; empty if nothing was seen"),
  ...statisticsShape,
});

export type Result = z.infer<typeof resultSchema>;
export type Metadata = Result["metadata"];
export type StatisticsOfResult = Pick<Result, keyof typeof statisticsShape>;

/** One execution of a suite on a host, as it ended. */
export const runSchema = z.object({
  run: z.string(),
  suite: z.string(),
  host: z.string(),
  hw_class: z.string(),
  state: z.enum(["finished", "interrupted"]),
  started_us: count,
  time_us: count.describe("when the run ended, microseconds since the Unix epoch"),
  duration: number.describe("seconds"),
  total: count.describe("benchmarks of the suite"),
  completed: count.describe("benchmarks that gave a result"),
  failures: z.array(z.object({ name: z.string(), error: z.string() })).describe("benchmarks that gave none, and why"),
  fingerprint: z
    .record(z.string(), z.string())
    .describe("what may change speed on this host: kernel, driver, governor, versions"),
});

export type Run = z.infer<typeof runSchema>;

const resultTags = ["host", "hw_class", "suite", "category", "benchmark", "runtime", "device", "params"] as const;
const runTags = ["host", "hw_class", "suite"] as const;

type Plain = Record<string, unknown>;

function toPoint(measurement: string, record: Plain, tagNames: readonly string[]): Point {
  const tags: Record<string, string> = {};
  const fields: Record<string, number | string> = {};
  for (const [key, value] of Object.entries(record)) {
    if (key === "time_us") continue;
    if (tagNames.includes(key)) tags[key] = String(value);
    else fields[key] = typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);
  }
  return { measurement, tags, timeUs: record.time_us as number, fields };
}

function fromPoint<S extends z.ZodType>(
  schema: S,
  point: Point,
  jsonKeys: readonly string[],
  tagNames: readonly string[],
): z.infer<S> {
  try {
    const record: Plain = { ...Object.fromEntries(tagNames.map((name) => [name, point.tags[name] ?? ""])), ...point.fields };
    for (const key of jsonKeys) record[key] = JSON.parse(String(record[key]));
    record.time_us = point.timeUs;
    return schema.parse(record);
  } catch (cause) {
    throw new FleetmarkError("STORE_FAILED", `a stored ${point.measurement} does not read back: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/** The point of measurement `benchmark` that carries a result whole. */
export function resultToPoint(result: Result): Point {
  return toPoint("benchmark", result, resultTags);
}

/** @throws FleetmarkError STORE_FAILED when the point is not a whole result */
export function pointToResult(point: Point): Result {
  return fromPoint(resultSchema, point, ["metadata"], resultTags);
}

/** The point of measurement `run` that carries a run whole. */
export function runToPoint(run: Run): Point {
  return toPoint("run", run, runTags);
}

/** @throws FleetmarkError STORE_FAILED when the point is not a whole run */
export function pointToRun(point: Point): Run {
  return fromPoint(runSchema, point, ["failures", "fingerprint"], runTags);
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo): a number that differs where texts do, exact in a float. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/**
 * The point of measurement `run_window` that a run gives: stamped when the run began, so that charts can shade it from there to `ended_ms`
 * (milliseconds, as they want it). `environment` is a number that changes when the fingerprint does: InfluxQL compares no texts.
 */
export function runWindowPoint(run: Run): Point {
  const { host, hw_class, suite, state, total, completed } = run;
  const fingerprint = JSON.stringify(Object.entries(run.fingerprint).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    measurement: "run_window",
    tags: { host, hw_class, suite },
    timeUs: run.started_us,
    fields: { ended_ms: run.time_us / 1000, run: run.run, state, total, completed, environment: hashText(fingerprint) },
  };
}

/** Returns a benchmark's name in full: `policy_forward{batch=1} jax-js/cpu`. */
export function formatBenchmarkName(benchmark: string, params: string, runtime: string, device: string): string {
  return `${benchmark}${params === "" ? "" : `{${params}}`} ${runtime}/${device}`;
}

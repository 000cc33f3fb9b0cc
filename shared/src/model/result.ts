import { z } from "zod";

/** What a workload belongs to. */
export const categories = ["jax", "environment", "rl", "safety", "memory", "gpu", "external"] as const;
export type Category = (typeof categories)[number];

/**
 * How one process run's iteration times behave, after Barrett et al., "Virtual Machine Warmup Blows Hot and Cold"
 * (2017). `unclassified`: too few samples to say.
 */
export const steadyStates = ["flat", "warmup", "slowdown", "no_steady_state", "unclassified"] as const;
export type SteadyState = (typeof steadyStates)[number];

const number = z.number();
const count = z.int().nonnegative();

/** Statistics over the steady samples of one benchmark, in the result's unit. Interval bounds are at 95 %. */
const statisticsShape = {
  n: count.describe("steady samples that the statistics are made of"),
  median: number.describe(
    "the level: geometric mean of the process runs' medians, of an overhead the mean; of a single run its median",
  ),
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
  every_s: number
    .positive()
    .optional()
    .describe("longest time between two starts of the schedule by which the host measures its suite, seconds"),
  run_medians: z.array(number).optional().describe("of each process run that counts, the median of its steady samples"),
  run_spread: number
    .nonnegative()
    .optional()
    .describe(
      "standard deviation between runs' medians, with what is known from before: of their logarithms; of an overhead, in points",
    ),
  run_spread_degrees: number
    .nonnegative()
    .optional()
    .describe("degrees of freedom of run_spread; 0 where one run is all that is known"),
  ...statisticsShape,
});

export type Result = z.infer<typeof resultSchema>;
export type Metadata = Result["metadata"];

/** What was measured, as far as it is known: a run of a daemon measures no commit. Files of before hold none of it. */
export const originShape = {
  commit: z.string().max(200).optional().describe("the commit that was measured"),
  branch: z.string().max(500).optional(),
  dirty: z.enum(["yes", "no"]).optional().describe("whether tracked files differed from the commit"),
  labels: z.record(z.string(), z.string()).optional().describe("what whoever ran it said of it"),
};

const originSchema = z.object(originShape);

/** What was measured: a state of some code, and what was said of it. */
export type Origin = z.infer<typeof originSchema>;

/** What makes a suite run: the agent's start, its schedule, or a command from a collector. */
export const runTriggers = ["start", "schedule", "command"] as const;
export type RunTrigger = (typeof runTriggers)[number];

/** How a run came to be, and why it ended as it did. Runs that a person starts by hand hold none of it. */
export const runLifeShape = {
  trigger: z.enum(runTriggers).optional().describe("what made it run"),
  schedule: z.string().optional().describe("name of the schedule that it was due by"),
  command: z.string().optional().describe("id of the command that asked for it"),
  continues: z.string().optional().describe("the run that gave way before, whose remaining benchmarks this one measures"),
  reason: z.string().optional().describe("why it did not run to its end"),
};

/** One execution of a suite on a host, as it ended. */
export const runSchema = z.object({
  run: z.string(),
  suite: z.string(),
  host: z.string(),
  hw_class: z.string(),
  state: z
    .enum(["finished", "interrupted", "yielded"])
    .describe("yielded: it gave way to the host's own work, and keeps what it had measured"),
  started_us: count,
  time_us: count.describe("when the run ended, microseconds since the Unix epoch"),
  duration: number.describe("seconds"),
  total: count.describe("benchmarks of the suite"),
  completed: count.describe("benchmarks that gave a result"),
  failures: z.array(z.object({ name: z.string(), error: z.string() })).describe("benchmarks that gave none, and why"),
  fingerprint: z
    .record(z.string(), z.string())
    .describe("what may change speed on this host: kernel, driver, governor, versions"),
  ...runLifeShape,
  ...originShape,
});

export type Run = z.infer<typeof runSchema>;

/** Returns a benchmark's name in full: `policy_forward{batch=1} jax-js/cpu`. */
export function formatBenchmarkName(benchmark: string, params: string, runtime: string, device: string): string {
  return `${benchmark}${params === "" ? "" : `{${params}}`} ${runtime}/${device}`;
}

/** The 99th percentile of single iterations where these were timed, in the result's unit; else that of its samples. */
export function readP99({ p99, metadata, unit }: Pick<Result, "p99" | "metadata" | "unit">): number {
  const single = metadata.single_p99_us;
  return unit === "s" && typeof single === "number" ? single / 1e6 : p99;
}

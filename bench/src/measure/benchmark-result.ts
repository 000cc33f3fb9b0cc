import { formatBenchmarkName, type Result } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";
import { summarize } from "@fleetmark/shared/stats/summary";
import { describeDisturbances } from "../machine/disturbance.js";
import type { Benchmark } from "../workloads/workload.js";
import type { Measurement } from "./benchmark-run.js";
import { type JudgedRun, unitOf } from "./judged-run.js";
import {
  describeClock,
  describeLatency,
  describeMachine,
  describeMemory,
  describeProcesses,
  mergeMetadata,
} from "./result-metadata.js";
import { worstVerdict } from "./steady-state.js";

/** Where a result belongs. */
export interface ResultPlace {
  readonly suite: string;
  readonly run: string;
  readonly host: string;
  readonly hwClass: string;
  readonly timeUs: number;
}

/** Returns the parameters as `key=value`, in their order, joined by commas. */
export function formatParams(params: Benchmark["params"]): string {
  return Object.entries(params)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

export function nameBenchmark({ workload, params, runtime, device }: Benchmark): string {
  return formatBenchmarkName(workload, formatParams(params), runtime, device);
}

const quantityOf = { repeat: "time", compare: "overhead", "first-call": "time", episode: "memory" } as const;

function sum(runs: readonly JudgedRun[], read: (run: JudgedRun) => number): number {
  return runs.reduce((total, run) => total + read(run), 0);
}

/** Says what disturbed runs, each of them disturbed; empty if there are none. */
function describeDisturbance(runs: readonly JudgedRun[]): string {
  if (runs.length === 0) return "";
  // Some short disturbances may stay under the limits of the whole.
  const windows = `disturbed in ${sum(runs, (run) => run.disturbedWindows)} of ${sum(runs, (run) => run.windows.length)} windows`;
  return describeDisturbances(runs.map((run) => run.exposure)) || windows;
}

/** Says what disturbed the card, by the first run that tells of something; undefined where there was no card. */
function describeCards(runs: readonly JudgedRun[]): string | undefined {
  const told = runs.flatMap(({ cardDisturbance }) => cardDisturbance ?? []);
  return told.find((each) => each !== "") ?? told[0];
}

/**
 * Returns the result of a measurement: the statistics of the steady samples of the runs that count, on the device that
 * they ran on.
 */
export function buildResult(measurement: Measurement, place: ResultPlace): Result {
  const { made, runs, estimate } = measurement;
  const { interval, level, medians } = estimate;
  const { kind, device, processed, iterationsPerSample } = runs[0];
  const benchmark = { ...measurement.benchmark, device };
  const repeated = kind === "repeat";
  return {
    name: nameBenchmark(benchmark),
    category: benchmark.category,
    duration: measurement.durationS,
    memory_peak_mb: Math.max(...runs.map((run) => run.peakBytes)) / 1e6,
    memory_current_mb: median(runs.map((run) => run.residentBytes)) / 1e6,
    cpu_percent: (100 * sum(runs, (run) => run.cpuS)) / sum(runs, (run) => run.timedS),
    iterations: sum(runs, (run) => run.iterations),
    throughput: repeated && interval.median > 0 ? processed.perIteration / interval.median : 0,
    metadata: {
      ...mergeMetadata(runs),
      ...describeMemory(made, runs),
      ...describeProcesses(made, runs),
      ...describeMachine(runs),
      ...(benchmark.v8Flags === undefined ? {} : { v8_flags: benchmark.v8Flags.join(" ") }),
      ...describeClock(runs),
      ...describeLatency(runs),
      setup_s: median(runs.map((run) => run.setupS)),
    },
    benchmark: benchmark.workload,
    params: formatParams(benchmark.params),
    runtime: benchmark.runtime,
    device,
    suite: place.suite,
    run: place.run,
    host: place.host,
    hw_class: place.hwClass,
    time_us: place.timeUs,
    quantity: quantityOf[kind],
    unit: unitOf[kind],
    throughput_unit: repeated ? `${processed.unit}/s` : "",
    process_runs: runs.length,
    iterations_per_sample: iterationsPerSample,
    steady_state: worstVerdict(runs.map((run) => run.verdict)),
    conclusive: measurement.conclusive ? "yes" : "no",
    disturbance: describeCards(runs) ?? describeDisturbance(runs.filter((run) => run.disturbed)),
    run_medians: [...medians],
    run_spread: Math.sqrt(level.spread.variance),
    run_spread_degrees: level.spread.degrees,
    ...summarize(runs.flatMap((run) => Array.from(run.steady))),
    median: interval.median,
    median_low: interval.low,
    median_high: interval.high,
  };
}

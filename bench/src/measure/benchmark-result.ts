import { formatBenchmarkName, type Metadata, type Result } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";
import { summarize } from "@fleetmark/shared/stats/summary";
import { describeDisturbances } from "../machine/disturbance.js";
import type { LeakVerdict } from "../machine/memory.js";
import type { Benchmark } from "../workloads/workload.js";
import { isSettled, type JudgedRun, type Measurement, unitOf } from "./benchmark-run.js";
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

/** Returns numbers that the runs' own metadata agree on as they are, and medians of those that differ. */
function mergeMetadata(runs: readonly JudgedRun[]): Metadata {
  const merged: Metadata = {};
  for (const [key, value] of Object.entries(runs[0].metadata)) {
    const numbers = runs.map((run) => run.metadata[key]).filter((each) => typeof each === "number");
    merged[key] = typeof value === "number" ? median(numbers) : value;
  }
  return merged;
}

function describeMemory(runs: readonly JudgedRun[], leak: LeakVerdict | undefined): Metadata {
  const kinds = new Set(runs.flatMap((run) => Object.keys(run.memory.gc.kinds)));
  const described: Metadata = {
    gc_count: sum(runs, (run) => run.memory.gc.count),
    gc_total_ms: sum(runs, (run) => run.memory.gc.totalMs),
    gc_longest_ms: Math.max(...runs.map((run) => run.memory.gc.longestMs)),
    heap_before_mb: median(runs.map((run) => run.memory.heapBeforeBytes)) / 1e6,
    heap_after_gc_mb: median(runs.map((run) => run.memory.heapAfterBytes)) / 1e6,
    external_mb: median(runs.map((run) => run.memory.externalBytes)) / 1e6,
    array_buffers_mb: median(runs.map((run) => run.memory.arrayBufferBytes)) / 1e6,
    bytes_per_iteration: sum(runs, (run) => run.memory.gc.allocatedBytes) / sum(runs, (run) => run.iterations),
  };
  for (const kind of [...kinds].sort()) {
    const key = kind.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
    described[`gc_${key}_count`] = sum(runs, (run) => run.memory.gc.kinds[kind]?.count ?? 0);
    described[`gc_${key}_total_ms`] = sum(runs, (run) => run.memory.gc.kinds[kind]?.totalMs ?? 0);
    described[`gc_${key}_longest_ms`] = Math.max(...runs.map((run) => run.memory.gc.kinds[kind]?.longestMs ?? 0));
  }
  if (leak === undefined) return described;
  return {
    ...described,
    leak: leak.verdict,
    leak_bytes_per_iteration: leak.slope,
    leak_bytes_per_iteration_low: leak.low,
    leak_bytes_per_iteration_high: leak.high,
  };
}

/** Returns the median of the figures that the machine shows, under the key, or nothing. */
function describeFigure(key: string, figures: readonly (number | undefined)[]): Metadata {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length === 0 ? {} : { [key]: median(known) };
}

/** What was seen of the machine: the state before and after, and medians over the runs of what went on during them. */
function describeMachine(runs: readonly JudgedRun[]): Metadata {
  const typical = (read: (run: JudgedRun) => number): number => median(runs.map(read));
  const frequencies = runs.flatMap(({ conditions }) => [conditions.frequencyBeforeHz, conditions.frequencyAfterHz]);
  return {
    ...describeFigure("load_before", [runs[0].conditions.loadBefore]),
    ...describeFigure("load_after", [runs[runs.length - 1].conditions.loadAfter]),
    ...describeFigure(
      "frequency_mhz",
      frequencies.map((frequency) => (frequency === undefined ? undefined : frequency / 1e6)),
    ),
    wait_percent: 100 * typical((run) => run.exposure.wait),
    steal_percent: 100 * typical((run) => run.exposure.steal),
    others_cores: typical((run) => run.exposure.others),
    memory_stall_percent: 100 * typical((run) => run.exposure.memoryStall),
    throttles: sum(runs, (run) => run.exposure.throttles),
    pace_loss_percent: 100 * typical((run) => run.exposure.paceLoss),
    reference_work_us: 1e6 * typical((run) => median(run.windows.map(({ workS }) => workS))),
    windows: sum(runs, (run) => run.windows.length),
    windows_disturbed: sum(runs, (run) => run.disturbedWindows),
  };
}

/** Says what disturbed runs, each of them disturbed; empty if there are none. */
function describeDisturbance(runs: readonly JudgedRun[]): string {
  if (runs.length === 0) return "";
  // Some short disturbances may stay under the limits of the whole.
  const windows = `disturbed in ${sum(runs, (run) => run.disturbedWindows)} of ${sum(runs, (run) => run.windows.length)} windows`;
  return describeDisturbances(runs.map((run) => run.exposure)) || windows;
}

/** Returns the result of a measurement: the statistics of the steady samples of the runs that count. */
export function buildResult(measurement: Measurement, place: ResultPlace): Result {
  const { benchmark, made, runs, interval } = measurement;
  const { kind, processed, iterationsPerSample } = runs[0];
  const repeated = kind === "repeat";
  // Of the one run that looked for a leak, be it disturbed or not: a heap grows no faster for it.
  const leak = made.find((run) => run.memory.leak !== undefined)?.memory.leak;
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
      ...describeMemory(runs, leak),
      memory_peak_low_mb: Math.min(...runs.map((run) => run.peakBytes)) / 1e6,
      process_runs_made: made.length,
      process_runs_not_steady: made.filter((run) => !isSettled(run)).length,
      process_runs_disturbed: runs.filter((run) => run.disturbed).length,
      process_runs_pinned: runs.filter((run) => run.pinned).length,
      ...describeMachine(runs),
      ...(benchmark.v8Flags === undefined ? {} : { v8_flags: benchmark.v8Flags.join(" ") }),
      clock_resolution_ns: median(runs.map((run) => run.clock.resolutionS)) * 1e9,
      clock_cost_ns: median(runs.map((run) => run.clock.costS)) * 1e9,
      setup_s: median(runs.map((run) => run.setupS)),
    },
    benchmark: benchmark.workload,
    params: formatParams(benchmark.params),
    runtime: benchmark.runtime,
    device: benchmark.device,
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
    disturbance: describeDisturbance(runs.filter((run) => run.disturbed)),
    ...summarize(runs.flatMap((run) => Array.from(run.steady))),
    median: interval.median,
    median_low: interval.low,
    median_high: interval.high,
  };
}

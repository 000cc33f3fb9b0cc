import type { Metadata } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";
import type { GcPauses, Latency, LeakVerdict, MemoryFigures } from "../executors/executor.js";
import { isSettled, type JudgedRun, listPaces } from "./judged-run.js";

function sum<T>(all: readonly T[], read: (each: T) => number): number {
  return all.reduce((total, each) => total + read(each), 0);
}

/** Returns numbers that the runs' own metadata agree on as they are, and medians of those that differ. */
export function mergeMetadata(runs: readonly JudgedRun[]): Metadata {
  const merged: Metadata = {};
  for (const [key, value] of Object.entries(runs[0].metadata)) {
    const numbers = runs.map((run) => run.metadata[key]).filter((each) => typeof each === "number");
    merged[key] = typeof value === "number" ? median(numbers) : value;
  }
  return merged;
}

/** What was seen of heap and collector; nothing where the processes do not show them. */
export function describeMemory(made: readonly JudgedRun[], runs: readonly JudgedRun[]): Metadata {
  const figures = runs.flatMap(({ memory }) => memory ?? []);
  if (figures.length === 0) return {};
  // Of the one run that looked for a leak, be it disturbed or not: a heap grows no faster for it.
  const leak = made.find((run) => run.memory?.leak !== undefined)?.memory?.leak;
  return {
    gc_count: sum(figures, ({ gc }) => gc.count),
    gc_total_ms: sum(figures, ({ gc }) => gc.totalMs),
    gc_longest_ms: Math.max(...figures.map(({ gc }) => gc.longestMs)),
    heap_before_mb: median(figures.map((each) => each.heapBeforeBytes)) / 1e6,
    heap_after_gc_mb: median(figures.map((each) => each.heapAfterBytes)) / 1e6,
    external_mb: median(figures.map((each) => each.externalBytes)) / 1e6,
    array_buffers_mb: median(figures.map((each) => each.arrayBufferBytes)) / 1e6,
    bytes_per_iteration: sum(figures, ({ gc }) => gc.allocatedBytes) / sum(runs, (run) => run.iterations),
    ...describeCollections(figures),
    ...describeLeak(leak),
  };
}

/** Counts and pauses by the kind of collection: `gc_mark_sweep_compact_total_ms`. */
function describeCollections(figures: readonly MemoryFigures[]): Metadata {
  const described: Metadata = {};
  const kinds = new Set(figures.flatMap(({ gc }) => Object.keys(gc.kinds)));
  for (const kind of [...kinds].sort()) {
    const key = kind.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
    const of = ({ gc }: MemoryFigures): GcPauses => gc.kinds[kind] ?? { count: 0, totalMs: 0, longestMs: 0 };
    described[`gc_${key}_count`] = sum(figures, (each) => of(each).count);
    described[`gc_${key}_total_ms`] = sum(figures, (each) => of(each).totalMs);
    described[`gc_${key}_longest_ms`] = Math.max(...figures.map((each) => of(each).longestMs));
  }
  return described;
}

function describeLeak(leak: LeakVerdict | undefined): Metadata {
  if (leak === undefined) return {};
  return {
    leak: leak.verdict,
    leak_bytes_per_iteration: leak.slope,
    leak_bytes_per_iteration_low: leak.low,
    leak_bytes_per_iteration_high: leak.high,
  };
}

/** What iterations took that were timed one by one: of runs' quantiles the medians, of all runs the slowest. */
export function describeLatency(runs: readonly JudgedRun[]): Metadata {
  const latencies = runs.flatMap(({ latency }) => latency ?? []);
  if (latencies.length === 0) return {};
  const typicalUs = (read: (each: Latency) => number): number => 1e6 * median(latencies.map(read));
  return {
    single_iterations: sum(latencies, ({ iterations }) => iterations),
    single_p50_us: typicalUs(({ p50S }) => p50S),
    single_p99_us: typicalUs(({ p99S }) => p99S),
    single_p999_us: typicalUs(({ p999S }) => p999S),
    single_max_us: 1e6 * Math.max(...latencies.map(({ maxS }) => maxS)),
    deadline_ms: 1e3 * latencies[0].deadlineS,
    deadline_missed: sum(latencies, ({ missed }) => missed),
  };
}

/** Which processes were made and which of them count. */
export function describeProcesses(made: readonly JudgedRun[], runs: readonly JudgedRun[]): Metadata {
  return {
    memory_peak_low_mb: Math.min(...runs.map((run) => run.peakBytes)) / 1e6,
    process_runs_made: made.length,
    process_runs_not_steady: made.filter((run) => !isSettled(run)).length,
    process_runs_disturbed: runs.filter((run) => run.disturbed).length,
    process_runs_pinned: runs.filter((run) => run.pinned).length,
  };
}

/** Returns the median of the figures that the machine shows, under the key, or nothing. */
function describeFigure(key: string, figures: readonly (number | undefined)[]): Metadata {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length === 0 ? {} : { [key]: median(known) };
}

/** What was seen of the machine: the state before and after, and medians over the runs of what went on during them. */
export function describeMachine(runs: readonly JudgedRun[]): Metadata {
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
    reference_work_us: 1e6 * typical((run) => median(listPaces(run))),
    windows: sum(runs, (run) => run.windows.length),
    windows_disturbed: sum(runs, (run) => run.disturbedWindows),
  };
}

/** Resolution and cost of the clock that samples were timed by, where it is ours. */
export function describeClock(runs: readonly JudgedRun[]): Metadata {
  return {
    ...describeFigure(
      "clock_resolution_ns",
      runs.map(({ clock }) => clock && clock.resolutionS * 1e9),
    ),
    ...describeFigure(
      "clock_cost_ns",
      runs.map(({ clock }) => clock && clock.costS * 1e9),
    ),
  };
}

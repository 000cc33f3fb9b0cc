import type { Metadata } from "@fleetmark/shared/model/result";
import type { ClockFacts } from "../machine/clock.js";
import type { Conditions, Exposure, WindowSeen } from "../machine/disturbance.js";
import type { Benchmark, Processed, Task } from "../workloads/workload.js";

/**
 * What runs a benchmark once, in a fresh process, and tells what it gave. `node-child.ts` runs the workloads that come
 * with Fleetmark, `command.ts` any program that speaks the protocol of docs/command-protocol.md. To add one, write its
 * file and list it in registry.ts.
 */
export interface Executor {
  readonly name: string;
  /**
   * Runs a job in a fresh process, and resolves when that process has ended. None is left behind, however it ends.
   * @throws FleetmarkError BENCHMARK_FAILED when the process fails, crashes, is killed, says what can't be understood
   * or takes too long; the code of its own failure, such as RUNTIME_UNAVAILABLE; the signal's reason when aborted
   */
  run(job: Job, options: ExecutorOptions): Promise<ProcessRun>;
}

export interface ExecutorOptions {
  /** From start to end of the process; past it the process is killed. */
  readonly timeoutS: number;
  readonly signal?: AbortSignal | undefined;
  /** True when the timed section begins, false when it ends. */
  readonly onQuiet?: ((quiet: boolean) => void) | undefined;
}

/** What a fresh process is to measure. */
export interface Job {
  readonly benchmark: Benchmark;
  /** URL of a module that exports `setupTask(benchmark, seed): Promise<Task>`. A command brings its own task. */
  readonly taskModule: string;
  readonly seed: number;
  /**
   * Samples to take; fewer if `limitS` ends first, which slow work may pass somewhat to have the fewest. A task of one
   * sample per process takes one.
   */
  readonly samples: number;
  readonly fewestSamples: number;
  readonly limitS: number;
  /** As it was in former runs of the benchmark: samples that are means of unlike many are not alike. */
  readonly iterationsPerSample?: number | undefined;
  /** The core to stay on, if any. */
  readonly core: number | undefined;
  /** Whether to look for a leak after the samples. */
  readonly checkLeak: boolean;
}

/**
 * What one process run gave, and what was seen of the machine meanwhile. Crosses process boundaries by structured
 * clone.
 */
export interface ProcessRun {
  readonly kind: Task["kind"];
  /** The device that the work really ran on. */
  readonly device: string;
  /** In order: seconds per iteration (`repeat`), % (`compare`), seconds (`first-call`), MB (`episode`). */
  readonly samples: Float64Array;
  /** What the course over time is judged by: the samples, or the quads' seconds of a comparison. */
  readonly course: Float64Array;
  readonly iterationsPerSample: number;
  readonly iterations: number;
  readonly processed: Processed;
  readonly metadata: Metadata;
  /** Wall and CPU seconds of the timed part, and wall seconds of loading and setting up the task before it. */
  readonly timedS: number;
  readonly cpuS: number;
  readonly setupS: number;
  /** The clock that samples were timed by; undefined where it is not ours. */
  readonly clock: ClockFacts | undefined;
  readonly peakBytes: number;
  readonly residentBytes: number;
  /** Heap and collector, of a process that shows them. */
  readonly memory: MemoryFigures | undefined;
  /** Of work with a deadline that is long enough to be timed singly. */
  readonly latency?: Latency | undefined;
  readonly exposure: Exposure;
  readonly conditions: Conditions;
  readonly windows: readonly WindowSeen[];
  readonly pinned: boolean;
  /** What disturbed the card that it ran on, in words; empty where nothing did or there is none. */
  readonly cardDisturbance?: string;
  /** Depends on all that the work returned. */
  readonly checksum: number;
}

/** Iterations that were timed one by one, in seconds. */
export interface Latency {
  readonly iterations: number;
  readonly p50S: number;
  readonly p99S: number;
  readonly p999S: number;
  readonly maxS: number;
  readonly deadlineS: number;
  /** How many took longer than the deadline. */
  readonly missed: number;
}

export interface GcPauses {
  readonly count: number;
  readonly totalMs: number;
  readonly longestMs: number;
}

/** What the garbage collector did during some work. */
export interface GcFigures extends GcPauses {
  /** Collections and their pauses by V8's name of the kind: Scavenge, MarkSweepCompact, … */
  readonly kinds: Readonly<Record<string, GcPauses>>;
  /** Bytes that were allocated on the JavaScript heap. */
  readonly allocatedBytes: number;
}

export interface LeakVerdict {
  readonly verdict: "yes" | "no" | "unknown";
  /** Growth of the heap after collection with its 95 % interval, bytes per iteration. */
  readonly slope: number;
  readonly low: number;
  readonly high: number;
  /** Seconds that the search took. */
  readonly tookS: number;
}

export interface MemoryFigures {
  readonly gc: GcFigures;
  readonly heapBeforeBytes: number;
  /** After a forced collection. */
  readonly heapAfterBytes: number;
  readonly externalBytes: number;
  readonly arrayBufferBytes: number;
  readonly leak: LeakVerdict | undefined;
}

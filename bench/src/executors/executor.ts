import type { Metadata } from "@fleetmark/shared/model/result";
import type { ClockFacts } from "../machine/clock.js";
import type { Conditions, Exposure, WindowSeen } from "../machine/disturbance.js";
import type { GcFigures, LeakVerdict } from "../machine/memory.js";
import type { Benchmark, Processed, Task } from "../workloads/workload.js";

/** What a fresh process is to measure. */
export interface Job {
  readonly benchmark: Benchmark;
  /** URL of a module that exports `setupTask(benchmark, seed): Promise<Task>`. */
  readonly taskModule: string;
  readonly seed: number;
  /**
   * Samples to take; fewer if `limitS` ends first, which slow work may pass somewhat to have the fewest. A task of one sample per
   * process takes one.
   */
  readonly samples: number;
  readonly fewestSamples: number;
  readonly limitS: number;
  /** The core to stay on, if any. */
  readonly core: number | undefined;
  /** Whether to look for a leak after the samples. */
  readonly checkLeak: boolean;
}

/** What one process run measured. Crosses the process boundary by structured clone. */
export interface ProcessRun {
  readonly kind: Task["kind"];
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
  readonly clock: ClockFacts;
  readonly peakBytes: number;
  readonly residentBytes: number;
  readonly memory: MemoryFigures;
  readonly exposure: Exposure;
  readonly conditions: Conditions;
  readonly windows: readonly WindowSeen[];
  readonly pinned: boolean;
  /** Depends on all that the work returned. */
  readonly checksum: number;
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

export type ToChild = { readonly type: "job"; readonly job: Job };

export type FromChild =
  | { readonly type: "timing"; readonly active: boolean }
  | { readonly type: "done"; readonly run: ProcessRun }
  | { readonly type: "failed"; readonly code: string | undefined; readonly message: string };

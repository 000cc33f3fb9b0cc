import type { Category, Metadata } from "@fleetmark/shared/model/result";
import type { CardPlace } from "../gpus/card-place.js";
import type { Iterate } from "../programs/program.js";
import type { TensorRuntime } from "../runtimes/runtime.js";

export type { Iterate };

/** Parameters of a benchmark, by name. */
export type Params = Readonly<Record<string, string | number>>;

/**
 * Compiles on the main thread. On a thread of its own the compiler finishes sooner or later by chance, and so sees
 * more or less of how the code behaves: one of several versions then runs for good, here up to 11 % apart, which hides
 * every smaller change.
 */
export const compileInLine: readonly string[] = ["--no-concurrent-recompilation"];

/**
 * Compiles WebAssembly by the optimizing compiler at once. Else modules run code of the baseline compiler, about four
 * times slower, until the better one is ready on its thread: after a few milliseconds or, on a busy machine, most of a
 * second.
 */
export const optimizeWasmAtOnce: readonly string[] = ["--no-liftoff"];

/** What a workload is given to prepare itself. It never reads a clock and draws chance only from the seed. */
export interface SetupContext {
  readonly params: Params;
  readonly seed: number;
  /** The loaded tensor runtime; undefined for workloads that need none. */
  readonly runtime: TensorRuntime | undefined;
}

/** Code whose speed is measured. One file each; `registry.ts` lists them. */
export interface Workload {
  readonly name: string;
  readonly category: Category;
  /** One sentence for `--list` and the documentation. */
  readonly description: string;
  /** Whether it executes tensor code and so is run once per runtime. */
  readonly needsRuntime: boolean;
  /** V8's flags for the processes that measure it; none where it is measured as users run it. */
  readonly v8Flags?: readonly string[];
  setup(context: SetupContext): Promise<Task>;
}

/** What an iteration may process. */
export const processedUnits = ["steps", "transitions", "passes", "elements", "bytes", "flops", "calls"] as const;

/** What one iteration processes: the source of throughput. */
export interface Processed {
  readonly unit: (typeof processedUnits)[number];
  readonly perIteration: number;
}

interface TaskBase {
  readonly processed: Processed;
  /** Facts about the work that belong in the result (sizes, model). */
  readonly metadata?: Metadata;
  /** The device that its runtime really uses; the CPU where it has none. */
  readonly device?: string;
  teardown(): void;
}

/** The period of a control loop at 1 kHz, in seconds: what a step and a policy's action have to keep to. */
export const controlPeriodS = 1e-3;

/** Measured: the time of one iteration, over many. */
export interface RepeatTask extends TaskBase {
  readonly kind: "repeat";
  /**
   * Seconds within which a controller needs an iteration. Some thousand are then timed singly as well: a sample is a
   * mean, in which one slow iteration among hundreds disappears.
   */
  readonly deadlineS?: number;
  readonly iterate: Iterate;
}

/** Measured: (candidate − baseline) / baseline in percent, the two interleaved in one process. */
export interface CompareTask extends TaskBase {
  readonly kind: "compare";
  readonly baseline: Iterate;
  readonly candidate: Iterate;
}

/** Measured: the first call of a fresh kernel minus its steady call, one fresh process per sample. */
export interface FirstCallTask extends TaskBase {
  readonly kind: "first-call";
  readonly call: Iterate;
}

/** Measured: the memory that one episode takes, one fresh process per sample. */
export interface EpisodeTask extends TaskBase {
  readonly kind: "episode";
  readonly episode: Iterate;
}

export type Task = RepeatTask | CompareTask | FirstCallTask | EpisodeTask;

/** A program of the user's that measures itself, as docs/command-protocol.md says. No shell lies between. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Its working directory; default: that of this process. */
  readonly folder?: string;
  /** Whether it comes with Fleetmark. */
  readonly isOurs?: boolean;
  /** How it reports, where it does not speak our protocol. */
  readonly report?: CommandReport;
}

/** What a benchmark tool leaves when it has ended. */
export interface CommandReport {
  /** The name of a format. */
  readonly format: string;
  /** Where it is, from the command's folder; default: on its stdout. */
  readonly file?: string;
  /** Which of several benchmarks in it; default: the only one. */
  readonly select?: string;
}

/** An ES module of the user's. */
export interface UserModule {
  readonly url: string;
  /** The export that is measured; default: `setupTask`, which prepares a task. */
  readonly function?: string;
}

/** A workload with fixed parameters, on one runtime and device. */
export interface Benchmark {
  readonly workload: string;
  readonly category: Category;
  readonly params: Params;
  /** A runtime's name; `js` where the workload needs none. */
  readonly runtime: string;
  /**
   * The device that the runtime is made for: what the benchmark is called by until it ran. A result names the one that
   * was used.
   */
  readonly device: string;
  /** The card that it is put on, of those that have one: what it goes through is watched, and no other will do. */
  readonly card?: CardPlace;
  /** Seconds that a process of it lasts by itself, whatever its budget: of what shows only after a while. */
  readonly lastsS?: number;
  /** The workload's flags for V8; a result names them. */
  readonly v8Flags?: readonly string[];
  /** What is run instead of a workload of ours; `workload` is then only its name. */
  readonly command?: Command;
  readonly module?: UserModule;
}

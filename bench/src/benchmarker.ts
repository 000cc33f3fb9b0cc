import { hostname } from "node:os";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type ComparisonReport, compareWithBaseline } from "@fleetmark/shared/judgement/comparison";
import { type Category, categories, type Metadata, type Result, type Run } from "@fleetmark/shared/model/result";
import { measureProcess } from "./executors/child/process-measurement.js";
import { readClock } from "./machine/clock.js";
import { fingerprint, hardwareClass, hostFacts } from "./machine/host.js";
import { estimateInterval, judgeRun } from "./measure/benchmark-run.js";
import { buildResult } from "./measure/build-result.js";
import { meetsGoal } from "./measure/repetition.js";
import { createRunId, runSuite, type SuiteOptions, type SuiteOutcome } from "./measure/suite-run.js";
import { plainColours } from "./report/colours.js";
import { formatComparison } from "./report/comparison-table.js";
import { buildResultFile, readBaseline, writeResultFile } from "./report/result-files.js";
import { formatResultsTable } from "./report/results-table.js";
import type { Iterate } from "./workloads/workload.js";

export interface FunctionOptions {
  /** Names the result; a comparison matches by it. */
  readonly name: string;
  /** Default: external. */
  readonly category?: Category;
  /** Samples to time, a call each; where a call is too short for the clock, a sample is many calls. Default 300. */
  readonly iterations?: number;
  /** Calls made before any is timed; default 1. More is seldom needed: what is not steady at the start is found and left out. */
  readonly warmup?: number;
  /** Seconds after which no more samples are begun; default 10. */
  readonly budgetS?: number;
  /** Whatever else belongs in the result's metadata. */
  readonly [metadata: string]: Metadata[string] | undefined;
}

export interface BenchmarkerOptions {
  /** Default: the machine's host name. */
  readonly host?: string;
  readonly seed?: number;
  /** Relative half width of the 95 % interval of the median from which a result is conclusive; default 0.02. */
  readonly goal?: number;
}

/** What calls return is kept here, so that the work is not optimised away. */
let kept: unknown;

/**
 * Measures functions and suites from a program, and keeps, shows and compares what they gave.
 *
 * A function runs in the caller's process: memory and CPU figures are those of the whole process, its heap is only collected between
 * measurements where Node runs with `--expose-gc`, and one process says nothing of how others would differ. Suites run as
 * `fleetmark bench` runs them.
 */
export class Benchmarker {
  readonly results: Result[] = [];
  readonly #failures: Run["failures"] = [];
  readonly #run = createRunId();
  readonly #startedUs = Date.now() * 1e3;
  readonly #options: BenchmarkerOptions;

  constructor(options: BenchmarkerOptions = {}) {
    this.#options = options;
  }

  /**
   * Measures a function; one that returns a promise is awaited, call by call. What the function throws is passed on.
   * @throws FleetmarkError CONFIG_INVALID for options that make no sense
   */
  async benchmarkFunction(fn: () => unknown, options: FunctionOptions): Promise<Result> {
    const { name, category = "external", iterations = 300, warmup = 1, budgetS = 10, ...rest } = options;
    checkOptions({ name, category, iterations, warmup, budgetS });
    const started = readClock();
    const iterate = await prepare(fn, warmup);
    const metadata = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Metadata;
    const benchmark = { workload: name, category, params: {}, runtime: "js", device: "cpu" };
    const run = await measureProcess(
      { kind: "repeat", iterate, processed: { unit: "calls", perIteration: 1 }, metadata, teardown: () => undefined },
      {
        benchmark,
        taskModule: "",
        seed: this.#options.seed ?? 1,
        samples: iterations,
        fewestSamples: Math.min(20, iterations),
        limitS: budgetS,
        core: undefined,
        checkLeak: globalThis.gc !== undefined,
      },
      { setupS: readClock() - started, pinned: false },
    );
    const runs = [judgeRun(run)];
    const interval = estimateInterval(runs, this.#options.seed ?? 1);
    const conclusive = meetsGoal(interval, "s", this.#options.goal ?? 0.02);
    const measurement = { benchmark, made: runs, runs, interval, conclusive, durationS: readClock() - started };
    const place = {
      suite: "functions",
      run: this.#run,
      host: this.#host,
      hwClass: hardwareClass(await hostFacts()),
      timeUs: Date.now() * 1e3,
    };
    const result = { ...buildResult(measurement, place), name };
    this.results.push(result);
    return result;
  }

  /**
   * Runs a suite, `full` by default, and keeps its results with the others.
   * @throws FleetmarkError BENCHMARK_UNKNOWN
   */
  async runAll(options: Partial<SuiteOptions> = {}): Promise<SuiteOutcome> {
    const outcome = await runSuite({ suite: "full", run: this.#run, ...this.#options, ...options });
    this.results.push(...outcome.results);
    this.#failures.push(...outcome.run.failures);
    return outcome;
  }

  /**
   * Writes all results to a file that `fleetmark bench --baseline` and `compareWithBaseline` read.
   * @throws FleetmarkError DATA_UNWRITABLE
   */
  async saveResults(path: string): Promise<void> {
    await writeResultFile(path, buildResultFile({ run: await this.#describeRun(), results: this.results }));
  }

  /** Prints all results, by category. */
  printSummary(print: (text: string) => void = console.log): void {
    print(formatResultsTable(this.results, plainColours));
  }

  /**
   * Compares all results with those of a file, and prints how they moved if asked to.
   * @throws FleetmarkError RESULT_FILE_INVALID
   */
  async compareWithBaseline(path: string, print?: (text: string) => void): Promise<ComparisonReport> {
    const report = compareWithBaseline(this.results, await readBaseline(path));
    print?.(formatComparison(report, plainColours));
    return report;
  }

  get #host(): string {
    return this.#options.host ?? hostname();
  }

  async #describeRun(): Promise<Run> {
    const timeUs = Date.now() * 1e3;
    return {
      run: this.#run,
      suite: "functions",
      host: this.#host,
      hw_class: hardwareClass(await hostFacts()),
      state: "finished",
      started_us: this.#startedUs,
      time_us: timeUs,
      duration: (timeUs - this.#startedUs) / 1e6,
      total: this.results.length + this.#failures.length,
      completed: this.results.length,
      failures: this.#failures,
      fingerprint: fingerprint(),
    };
  }
}

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

import { hostname } from "node:os";
import { type ComparisonReport, compareWithBaseline } from "@fleetmark/shared/judgement/comparison";
import type { Origin, Result, Run } from "@fleetmark/shared/model/result";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { readHostFacts } from "./host/facts.js";
import { readFingerprint } from "./host/fingerprint.js";
import { nameHardwareClass } from "./host/hardware-class.js";
import { buildResult } from "./measure/benchmark-result.js";
import { type FunctionOptions, measureFunction } from "./measure/function-run.js";
import { runSuite, type SuiteOptions, type SuiteOutcome } from "./measure/suite-run.js";
import { findOrigin, layOutOrigin } from "./origin/origin.js";
import { plainColours } from "./report/colours.js";
import { formatComparison } from "./report/comparison-table.js";
import { buildResultFile, readBaseline, writeResultFile } from "./report/result-files.js";
import { formatResultsTable } from "./report/results-table.js";

export interface BenchmarkerOptions {
  /** Default: the machine's host name. */
  readonly host?: string;
  readonly seed?: number;
  /** Of suites: the relative half width of the 95 % interval of a level from which it is conclusive; default 0.02. */
  readonly goal?: number;
  /** Said of what is measured, beside commit and branch: `{ variant: "b" }`. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Takes what was measured to where it is kept: `createReportSink` of the agent's package makes one. */
export interface ResultSink<Outcome> {
  /** Resolves when all of it is kept for good, or waits here until it can be sent. */
  deliver(run: Run, results: readonly Result[]): Promise<Outcome>;
}

/**
 * Measures functions and suites from a program, and keeps, shows and compares what they gave.
 *
 * A function runs in the caller's process: memory and CPU figures are those of the whole process, its heap is only
 * collected between measurements where Node runs with `--expose-gc`, and one process says nothing of how others would
 * differ. Suites run as `fleetmark bench` runs them.
 */
export class Benchmarker {
  readonly results: Result[] = [];
  readonly #failures: Run["failures"] = [];
  readonly #run = createRunId();
  readonly #startedUs = Date.now() * 1e3;
  readonly #options: BenchmarkerOptions;
  #origin: Promise<Origin> | undefined;
  #hardwareClass: Promise<string> | undefined;

  constructor(options: BenchmarkerOptions = {}) {
    this.#options = options;
  }

  /**
   * Measures a function; one that returns promises is awaited, call by call. What the function throws is passed on.
   * @throws FleetmarkError CONFIG_INVALID for options that make no sense; BENCHMARK_FAILED where a promise did not
   * settle in time, or only some calls return one
   */
  async benchmarkFunction(fn: () => unknown, options: FunctionOptions): Promise<Result> {
    const { seed = 1 } = this.#options;
    const measurement = await measureFunction(fn, options, seed);
    const place = {
      suite: "functions",
      run: this.#run,
      host: this.#host,
      hwClass: await this.#findHardwareClass(),
      timeUs: Date.now() * 1e3,
    };
    const built = buildResult(measurement, place);
    const metadata = { ...built.metadata, ...layOutOrigin(await this.#findOrigin()) };
    const result = { ...built, name: options.name, metadata };
    this.results.push(result);
    return result;
  }

  /**
   * Runs a suite, `full` by default, and keeps its results with the others.
   * @throws FleetmarkError BENCHMARK_UNKNOWN
   */
  async runAll(options: Partial<SuiteOptions> = {}): Promise<SuiteOutcome> {
    const origin = await this.#findOrigin();
    const outcome = await runSuite({ suite: "full", run: this.#run, origin, ...this.#options, ...options });
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

  /** Sends all results, and the run that they make together, to the fleet's collector. Once, when all is measured. */
  async report<Outcome>(sink: ResultSink<Outcome>): Promise<Outcome> {
    return sink.deliver(await this.#describeRun(), this.results);
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

  #findOrigin(): Promise<Origin> {
    this.#origin ??= findOrigin({ labels: this.#options.labels ?? {} });
    return this.#origin;
  }

  /** Asks the tools once: one that hangs costs seconds. */
  #findHardwareClass(): Promise<string> {
    this.#hardwareClass ??= readHostFacts().then(nameHardwareClass);
    return this.#hardwareClass;
  }

  async #describeRun(): Promise<Run> {
    const timeUs = Date.now() * 1e3;
    return {
      run: this.#run,
      suite: "functions",
      host: this.#host,
      hw_class: await this.#findHardwareClass(),
      state: "finished",
      started_us: this.#startedUs,
      time_us: timeUs,
      duration: (timeUs - this.#startedUs) / 1e6,
      total: this.results.length + this.#failures.length,
      completed: this.results.length,
      failures: this.#failures,
      fingerprint: readFingerprint(),
      ...(await this.#findOrigin()),
    };
  }
}

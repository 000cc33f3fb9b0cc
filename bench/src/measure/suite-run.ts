import { hostname } from "node:os";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { readClock } from "../machine/clock.js";
import { fingerprint, hardwareClass, hostFacts } from "../machine/host.js";
import { measureBenchmark } from "./benchmark-run.js";
import { buildResult, nameBenchmark } from "./build-result.js";
import { findSuite, type Suite } from "./suites.js";

export interface SuiteProgress {
  readonly run: string;
  readonly suite: string;
  /** Benchmarks that ended, with a result or without, and in all. */
  readonly completed: number;
  readonly total: number;
  /** The one under way; empty at the end. */
  readonly benchmark: string;
  readonly elapsedS: number;
  readonly remainingS: number;
}

export interface SuiteOptions {
  /** The name of a suite, or one of the caller's own. */
  readonly suite: string | Suite;
  /** Default: the machine's host name. */
  readonly host?: string;
  /** Default: found out from the machine. */
  readonly hardwareClass?: string;
  /** Default: a new id that sorts by time. */
  readonly run?: string;
  readonly seed?: number;
  /** For the whole suite; shared out evenly, and what one benchmark leaves goes to the next. */
  readonly budgetS?: number;
  /** Relative half width of the 95 % interval of each median at which its measuring stops; default 0.02. */
  readonly goal?: number;
  /** For one process run; past it the benchmark has failed. */
  readonly timeoutS?: number;
  readonly signal?: AbortSignal;
  /** URL of a module that exports `setupTask`; default: Fleetmark's own workloads. */
  readonly taskModule?: string;
  readonly onProgress?: (progress: SuiteProgress) => void;
  readonly onResult?: (result: Result) => void;
  /** True while timed sections run: who shares the machine keeps still. */
  readonly onQuiet?: (quiet: boolean) => void;
}

export interface SuiteOutcome {
  readonly run: Run;
  readonly results: Result[];
}

/** Whole budget of `quick`, which must end within a minute; other suites get this per benchmark. */
const quickBudgetS = 50;
const budgetPerBenchmarkS = 10;

const ownTasks = new URL("../workloads/registry.js", import.meta.url).href;

function requireSuite(name: string): Suite {
  const suite = findSuite(name);
  if (suite === undefined) throw new FleetmarkError("BENCHMARK_UNKNOWN", `there is no suite named ${JSON.stringify(name)}`);
  return suite;
}

/** Returns an id that sorts by time: `20260131T235959-1a2b3c`. */
export function createRunId(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, "");
  return `${time}-${Math.floor(Math.random() * 16 ** 6)
    .toString(16)
    .padStart(6, "0")}`;
}

/**
 * Runs a suite on this host. A benchmark that fails, or whose runtime is not there, becomes an entry of `run.failures`;
 * an abort keeps what was measured. No process is left behind.
 * @throws FleetmarkError BENCHMARK_UNKNOWN when there is no such suite
 */
export async function runSuite(options: SuiteOptions): Promise<SuiteOutcome> {
  const suite = typeof options.suite === "string" ? requireSuite(options.suite) : options.suite;
  const { benchmarks } = suite;
  const total = benchmarks.length;
  const budgetS = options.budgetS ?? (suite.name === "quick" ? quickBudgetS : budgetPerBenchmarkS * total);
  const run = options.run ?? createRunId();
  const host = options.host ?? hostname();
  const hwClass = options.hardwareClass ?? hardwareClass(await hostFacts());
  const startedUs = Date.now() * 1e3;
  const started = readClock();
  const results: Result[] = [];
  const failures: Run["failures"] = [];
  const report = (completed: number, benchmark: string): void => {
    const elapsedS = readClock() - started;
    const remainingS = completed === total ? 0 : estimateRemaining(elapsedS, completed, total, budgetS);
    options.onProgress?.({ run, suite: suite.name, completed, total, benchmark, elapsedS, remainingS });
  };
  for (const [completed, benchmark] of benchmarks.entries()) {
    if (options.signal?.aborted) break;
    const name = nameBenchmark(benchmark);
    report(completed, name);
    try {
      const measurement = await measureBenchmark(benchmark, {
        taskModule: options.taskModule ?? ownTasks,
        seed: options.seed ?? 1,
        budgetS: Math.max(0, budgetS - (readClock() - started)) / (total - completed),
        goal: options.goal ?? 0.02,
        timeoutS: options.timeoutS,
        signal: options.signal,
        onQuiet: options.onQuiet,
      });
      const result = buildResult(measurement, { suite: suite.name, run, host, hwClass, timeUs: Date.now() * 1e3 });
      results.push(result);
      options.onResult?.(result);
    } catch (thrown) {
      if (options.signal?.aborted) break;
      const code = thrown instanceof FleetmarkError ? thrown.code : "INTERNAL";
      failures.push({ name, error: `${code}: ${errorMessage(thrown)}` });
    }
  }
  const ended = results.length + failures.length;
  report(ended, "");
  return {
    run: {
      run,
      suite: suite.name,
      host,
      hw_class: hwClass,
      state: ended === total ? "finished" : "interrupted",
      started_us: startedUs,
      time_us: Date.now() * 1e3,
      duration: readClock() - started,
      total,
      completed: results.length,
      failures,
      fingerprint: fingerprint(),
    },
    results,
  };
}

/** Until half a dozen benchmarks have shown their pace, the budget is the better guide; then their pace, within the budget. */
function estimateRemaining(elapsedS: number, completed: number, total: number, budgetS: number): number {
  const byBudget = Math.max(0, budgetS - elapsedS);
  if (completed < 6) return byBudget;
  return Math.min(byBudget, (elapsedS / completed) * (total - completed));
}

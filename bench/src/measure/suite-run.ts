import { hostname } from "node:os";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { RunProgress } from "@fleetmark/shared/model/progress";
import type { Origin, Result, Run } from "@fleetmark/shared/model/result";
import { createRunId } from "@fleetmark/shared/model/run-id";
import { readHostFacts } from "../host/facts.js";
import { readFingerprint } from "../host/fingerprint.js";
import { nameHardwareClass } from "../host/hardware-class.js";
import { readClock } from "../machine/clock.js";
import { layOutOrigin } from "../origin/origin.js";
import { findCards, isOfCards, placeOnCards } from "../suites/placement.js";
import { findSuite, type Suite } from "../suites/suites.js";
import type { Benchmark } from "../workloads/workload.js";
import { buildResult, nameBenchmark } from "./benchmark-result.js";
import { type Measurement, measureBenchmark, measureInTurns, type RunHistory } from "./benchmark-run.js";
import { addOptional } from "./optional-benchmarks.js";

/*
 * The life of a run, by the layers it passes:
 *
 *   suite-run      a suite: its benchmarks one after the other, the time left shared out evenly among those to come
 *   benchmark-run    a benchmark: fresh processes until its interval is narrow enough
 *   executors          a process: node-child or command, with its samples and what was seen of the machine
 *   judged-run           which samples are steady, which runs are disturbed, which count
 *   benchmark-result   the result, given to `onResult` as soon as it is there
 *
 * A benchmark that fails is an entry of `failures` and the next one goes on. An abort ends the process under way: the
 * run is then `interrupted`, with what was measured before.
 */

/** Tells what is known of a benchmark's process runs on hardware of a class; undefined where nothing is. */
export type FindHistory = (hardwareClass: string, name: string) => RunHistory | undefined;

export interface SuiteOptions {
  /** The name of a suite, or one of the caller's own. */
  readonly suite: string | Suite;
  /** The card to measure, such as `gpu3`, of what is measured once a card; default: one after the other. */
  readonly device?: string;
  /** Default: the machine's host name. */
  readonly host?: string;
  /** Default: found out from the machine. */
  readonly hardwareClass?: string;
  /**
   * What is measured, for the run and its results to carry; it changes no judgement. Default: nothing is said of it.
   */
  readonly origin?: Origin;
  /** Default: a new id that sorts by time. */
  readonly run?: string;
  /** Tells the benchmarks of the suite, by their full names, that are measured; default: all. */
  readonly isChosen?: (name: string) => boolean;
  readonly seed?: number;
  /** For the whole suite; shared out evenly, and what one benchmark leaves goes to the next. */
  readonly budgetS?: number;
  /** Relative half width of the 95 % interval of each median at which its measuring stops; default 0.02. */
  readonly goal?: number;
  /** What this host measured before. Default: nothing is known. */
  readonly findHistory?: FindHistory;
  /** For one process run; past it the benchmark has failed. */
  readonly timeoutS?: number;
  /** Another build, which is measured in turns with this one. Default: none. */
  readonly against?: OtherBuild;
  readonly signal?: AbortSignal;
  /** URL of a module that exports `setupTask`; default: Fleetmark's own workloads. */
  readonly taskModule?: string;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Told in a sentence what of this host is not as it should be, such as a tool that hangs; before the run. */
  readonly onFinding?: (finding: string) => void;
  /** Told in a sentence what this host has no runtime for, of what a suite takes only where there is one. */
  readonly onLeftOut?: (sentence: string) => void;
  /** The next benchmark begins when what it returns has resolved: nothing is written while something is timed. */
  readonly onResult?: (result: Result) => void | Promise<void>;
  /** True while timed sections run: who shares the machine keeps still. */
  readonly onQuiet?: (quiet: boolean) => void;
}

/** Another build of what a suite measures. */
export interface OtherBuild {
  /** Where it is, for people to read. */
  readonly name: string;
  /** As of `SuiteOptions`. */
  readonly taskModule?: string | undefined;
  /** Its benchmark of this full name; undefined where it has none. */
  readonly find: (name: string) => Benchmark | undefined;
}

export interface SuiteOutcome {
  readonly run: Run;
  readonly results: Result[];
  /** Of the other build, where there was one: those of the benchmarks that both have. */
  readonly otherResults: Result[];
}

/** Whole budget of `quick`, which must end within a minute; other suites get this per benchmark. */
const quickBudgetS = 50;
const budgetPerBenchmarkS = 10;

/** Found beside this module's folder, once both are compiled. */
const ownTasks = new URL("../workloads/registry.js", import.meta.url).href;

/** A run under way. */
interface SuiteRun {
  readonly run: string;
  readonly suite: Suite;
  readonly host: string;
  readonly hwClass: string;
  readonly budgetS: number;
  readonly startedUs: number;
  readonly startedS: number;
  readonly options: SuiteOptions;
  readonly results: Result[];
  readonly otherResults: Result[];
  readonly failures: Run["failures"];
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN */
function requireSuite(name: string): Suite {
  const suite = findSuite(name);
  if (suite === undefined) throw new FleetmarkError("BENCHMARK_UNKNOWN", `there is no suite named ${JSON.stringify(name)}`);
  return suite;
}

/**
 * Runs a suite on this host. A benchmark that fails, or whose runtime is not there, becomes an entry of
 * `run.failures`; an abort keeps what was measured. No process is left behind.
 * @throws FleetmarkError BENCHMARK_UNKNOWN when there is no such suite, RUNTIME_UNAVAILABLE when there is no such card
 */
export async function runSuite(options: SuiteOptions): Promise<SuiteOutcome> {
  const asked = typeof options.suite === "string" ? requireSuite(options.suite) : options.suite;
  const whole = await placeSuite(await addOptional(asked, options.onLeftOut), options);
  const { isChosen = () => true } = options;
  const suite = { ...whole, benchmarks: whole.benchmarks.filter((benchmark) => isChosen(nameBenchmark(benchmark))) };
  const suiteRun: SuiteRun = {
    run: options.run ?? createRunId(),
    suite,
    host: options.host ?? hostname(),
    hwClass: options.hardwareClass ?? (await findHardwareClass(options)),
    budgetS: options.budgetS ?? chooseBudget(whole, suite.benchmarks.length) * (options.against === undefined ? 1 : 2),
    startedUs: Date.now() * 1e3,
    startedS: readClock(),
    options,
    results: [],
    otherResults: [],
    failures: [],
  };
  for (const benchmark of suite.benchmarks) {
    if (options.signal?.aborted) break;
    reportProgress(suiteRun, nameBenchmark(benchmark));
    await runBenchmark(suiteRun, benchmark);
  }
  reportProgress(suiteRun, "");
  return { run: describeRun(suiteRun), results: suiteRun.results, otherResults: suiteRun.otherResults };
}

/** Returns how many seconds so many benchmarks of a suite get where nobody says. */
function chooseBudget({ name, secondsEach = budgetPerBenchmarkS, benchmarks }: Suite, count: number): number {
  return name === "quick" ? (quickBudgetS * count) / Math.max(1, benchmarks.length) : secondsEach * count;
}

/** Puts what is measured once a card onto the host's cards. @throws FleetmarkError RUNTIME_UNAVAILABLE, USAGE */
async function placeSuite(suite: Suite, { device, signal }: SuiteOptions): Promise<Suite> {
  if (device === undefined && !suite.benchmarks.some(isOfCards)) return suite;
  return { ...suite, benchmarks: placeOnCards(suite.benchmarks, await findCards(signal), device) };
}

async function findHardwareClass({ onFinding, signal }: SuiteOptions): Promise<string> {
  const facts = await readHostFacts({ signal });
  for (const finding of facts.findings) onFinding?.(finding);
  return nameHardwareClass(facts);
}

/** Measures a benchmark of the run, and the other build's beside it where there is one. */
async function measure(suiteRun: SuiteRun, benchmark: Benchmark): Promise<[Measurement, Measurement?]> {
  const { suite, hwClass, options } = suiteRun;
  const left = suite.benchmarks.length - countEnded(suiteRun);
  const name = nameBenchmark(benchmark);
  const taskModule = options.taskModule ?? ownTasks;
  const settings = {
    seed: options.seed ?? 1,
    budgetS: Math.max(0, suiteRun.budgetS - (readClock() - suiteRun.startedS)) / left,
    goal: options.goal ?? 0.02,
    history: options.findHistory?.(hwClass, name),
    timeoutS: options.timeoutS,
    signal: options.signal,
    onQuiet: options.onQuiet,
  };
  const other = options.against?.find(name);
  if (other === undefined) return [await measureBenchmark(benchmark, { ...settings, taskModule })];
  const otherSide = { benchmark: other, taskModule: options.against?.taskModule ?? taskModule };
  return measureInTurns([{ benchmark, taskModule }, otherSide], settings);
}

/** Runs a benchmark of the run. What it throws is a failure of the benchmark, unless the run was aborted. */
async function runBenchmark(suiteRun: SuiteRun, benchmark: Benchmark): Promise<void> {
  const { run, suite, host, hwClass, options, results, otherResults, failures } = suiteRun;
  try {
    const [measurement, other] = await measure(suiteRun, benchmark);
    const place = { suite: suite.name, run, host, hwClass, timeUs: Date.now() * 1e3 };
    const built = buildResult(measurement, place);
    const result = { ...built, metadata: { ...built.metadata, ...layOutOrigin(options.origin ?? {}) } };
    results.push(result);
    if (other !== undefined) otherResults.push(buildResult(other, place));
    await options.onResult?.(result);
  } catch (thrown) {
    if (options.signal?.aborted) return;
    const code = thrown instanceof FleetmarkError ? thrown.code : "INTERNAL";
    failures.push({ name: nameBenchmark(benchmark), error: `${code}: ${errorMessage(thrown)}` });
  }
}

/** Counts the benchmarks that ended, with a result or without. */
function countEnded({ results, failures }: SuiteRun): number {
  return results.length + failures.length;
}

/** Tells how far the run is. @param benchmark the one under way; empty at the end */
function reportProgress(suiteRun: SuiteRun, benchmark: string): void {
  const { run, suite, startedS } = suiteRun;
  suiteRun.options.onProgress?.({
    run,
    suite: suite.name,
    completed: countEnded(suiteRun),
    total: suite.benchmarks.length,
    benchmark,
    elapsed_s: readClock() - startedS,
    remaining_s: estimateRemaining(suiteRun),
  });
}

/**
 * Until half a dozen benchmarks have shown their pace, the budget is the better guide; then their pace, within the
 * budget.
 */
function estimateRemaining(suiteRun: SuiteRun): number {
  const completed = countEnded(suiteRun);
  const left = suiteRun.suite.benchmarks.length - completed;
  if (left === 0) return 0;
  const elapsedS = readClock() - suiteRun.startedS;
  const byBudget = Math.max(0, suiteRun.budgetS - elapsedS);
  return completed < 6 ? byBudget : Math.min(byBudget, (elapsedS / completed) * left);
}

function describeRun(suiteRun: SuiteRun): Run {
  const { run, suite, host, hwClass, startedUs, startedS, results, failures, options } = suiteRun;
  const total = suite.benchmarks.length;
  return {
    run,
    suite: suite.name,
    host,
    hw_class: hwClass,
    state: countEnded(suiteRun) === total ? "finished" : "interrupted",
    started_us: startedUs,
    time_us: Date.now() * 1e3,
    duration: readClock() - startedS,
    total,
    completed: results.length,
    failures,
    fingerprint: readFingerprint(),
    ...options.origin,
  };
}

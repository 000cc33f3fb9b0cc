import {
  type Benchmark,
  findSuite,
  matchGlob,
  nameBenchmark,
  probeRuntimes,
  readSuiteFile,
  runtimeNames,
  type Suite,
  suites,
} from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import type { BenchOptions } from "./options.js";

/**
 * Finds the suite that is asked for, in the suite file first. @throws FleetmarkError BENCHMARK_UNKNOWN,
 * SUITE_FILE_INVALID
 */
function chooseSuite({ suite, quick, suiteFile }: BenchOptions): Suite {
  const own = suiteFile === undefined ? [] : readSuiteFile(suiteFile);
  const [only] = own;
  if (suite === undefined && !quick && only !== undefined) {
    if (own.length === 1) return only;
    const names = own.map(({ name }) => name).join(", ");
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `${suiteFile} has several suites: choose one of ${names} with --suite`);
  }
  const name = quick ? "quick" : (suite ?? "full");
  const found = own.find((each) => each.name === name) ?? findSuite(name);
  if (found !== undefined) return found;
  const known = [...suites, ...own].map((each) => each.name);
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `no suite ${name}; ${suggest(name, known)}`);
}

/** Says which option leaves nothing of a suite, and what may have been meant. */
function explainNothing({ benchmarks }: Suite, { runtime, filter }: BenchOptions): string {
  const known = [...new Set(benchmarks.map((each) => each.runtime))];
  if (runtime !== undefined && !known.includes(runtime)) return `--runtime ${runtime}; ${suggest(runtime, known)}`;
  if (filter === undefined || benchmarks.some((each) => matchGlob(filter, nameBenchmark(each)))) return "these options together";
  const names = [...new Set(benchmarks.map((each) => each.workload))];
  return `--filter ${filter}; ${suggest(filter.replace(/[^A-Za-z0-9_].*$/, ""), names)}`;
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN when the suite is not known or nothing of it is left, SUITE_FILE_INVALID */
export function selectBenchmarks(options: BenchOptions): Suite {
  const suite = chooseSuite(options);
  const isWanted = (benchmark: Benchmark): boolean =>
    (options.categories === undefined || options.categories.includes(benchmark.category)) &&
    (options.filter === undefined || matchGlob(options.filter, nameBenchmark(benchmark))) &&
    (options.runtime === undefined || benchmark.runtime === options.runtime);
  const benchmarks = suite.benchmarks.filter(isWanted);
  const optional = suite.optional?.filter(isWanted);
  if (benchmarks.length === 0)
    throw new FleetmarkError(
      "BENCHMARK_UNKNOWN",
      `no benchmark of the suite ${suite.name} is left by ${explainNothing(suite, options)}`,
    );
  return optional === undefined ? { ...suite, benchmarks } : { ...suite, benchmarks, optional };
}

/** Whether Fleetmark knows the benchmark's runtime: what the user brings has its own, of whatever name. */
export function needsRuntime(benchmark: Benchmark, runtime: string): boolean {
  return benchmark.runtime === runtime && benchmark.module === undefined && (benchmark.command?.isOurs ?? true);
}

/**
 * Leaves out what this host has no runtime for, and says so; a runtime that was asked for by name must be there.
 * @throws FleetmarkError RUNTIME_UNAVAILABLE when nothing is left
 */
export async function leaveOutUnavailable(suite: Suite, asked: string | undefined): Promise<Suite> {
  let left = suite.benchmarks;
  const known = [...new Set(left.filter((each) => needsRuntime(each, each.runtime)).map((each) => each.runtime))];
  for (const report of await probeRuntimes(runtimeNames.filter((name) => known.includes(name)))) {
    const kept = left.filter((each) => !needsRuntime(each, report.name));
    if (report.available || kept.length === left.length) continue;
    const what = `${left.length - kept.length} benchmarks on ${report.name}: ${report.reason}`;
    if (asked === report.name) throw new FleetmarkError("RUNTIME_UNAVAILABLE", what);
    process.stderr.write(`left out: ${what}\n`);
    left = kept;
  }
  if (left.length === 0) throw new FleetmarkError("RUNTIME_UNAVAILABLE", "no benchmark is left that this host can run");
  return { ...suite, benchmarks: left };
}

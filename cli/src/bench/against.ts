import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { type Benchmark, buildResultFile, findOrigin, nameBenchmark, type OtherBuild, type SuiteOutcome } from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type ComparisonReport, compareWithBaseline } from "@fleetmark/shared/judgement/comparison";
import type { Origin } from "@fleetmark/shared/model/result";
import { type ResultFile, toBaseline } from "@fleetmark/shared/model/result-file";
import type { BenchOptions } from "./options.js";
import { selectBenchmarks } from "./selection.js";
import { openTree, type Tree } from "./tree.js";

/** Another build that is measured in turns with this one, and the tree that it lies in. */
export interface Against {
  readonly build: OtherBuild;
  /** The names of all that it has of what was asked for. */
  readonly names: readonly string[];
  readonly origin: Origin;
  close(): Promise<void>;
}

/**
 * Finds the workloads of the Fleetmark that is built or installed in a tree; undefined where there is none, or where it
 * is this one by a link.
 */
function findWorkloads({ folder }: Tree): string | undefined {
  try {
    const path = realpathSync(createRequire(join(folder, "package.json")).resolve("@fleetmark/bench/workloads"));
    return path.startsWith(`${realpathSync(folder)}${sep}`) ? pathToFileURL(path).href : undefined;
  } catch {
    return undefined;
  }
}

/** @throws FleetmarkError TREE_INVALID, SUITE_FILE_INVALID, BENCHMARK_UNKNOWN */
function selectInTree(tree: Tree, options: BenchOptions): { benchmarks: readonly Benchmark[]; taskModule: string | undefined } {
  const { suiteFile } = options;
  const taskModule = findWorkloads(tree);
  if (suiteFile === undefined) {
    if (taskModule !== undefined) return { benchmarks: selectBenchmarks(options).benchmarks, taskModule };
    throw new FleetmarkError("TREE_INVALID", `${tree.name} holds no Fleetmark that is built or installed`);
  }
  const found = tree.find(resolve(suiteFile));
  if (found === undefined) throw new FleetmarkError("TREE_INVALID", `${tree.name} has no ${suiteFile}`);
  return { benchmarks: selectBenchmarks({ ...options, suiteFile: found }).benchmarks, taskModule };
}

/**
 * Finds in another tree what is to be measured of this one.
 * @throws FleetmarkError TREE_INVALID, SUITE_FILE_INVALID, BENCHMARK_UNKNOWN
 */
export async function openAgainst(where: string, options: BenchOptions, signal: AbortSignal): Promise<Against> {
  const tree = await openTree(where, options.suiteFile ?? process.cwd(), signal);
  try {
    const { benchmarks, taskModule } = selectInTree(tree, options);
    const byName = new Map(benchmarks.map((benchmark) => [nameBenchmark(benchmark), benchmark]));
    const build = { name: tree.name, taskModule, find: (name: string) => byName.get(name) };
    // What a build service says is of the user's own tree.
    const origin = await findOrigin({ folder: tree.folder, environment: {} });
    return { build, names: [...byName.keys()], origin, close: tree.remove };
  } catch (thrown) {
    await tree.remove();
    throw thrown;
  }
}

/** Compares what was measured in turns; what only one build has is named. */
export function compareBuilds({ run, results, otherResults }: SuiteOutcome, { names }: Against): ComparisonReport {
  const report = compareWithBaseline(results, toBaseline(otherResults));
  const asked = new Set([...results.map(({ name }) => name), ...run.failures.map(({ name }) => name)]);
  return { ...report, missing: run.state === "finished" ? names.filter((name) => !asked.has(name)) : [] };
}

/** Returns the result file of the other build, whose code is that of its own commit. */
export function buildOtherFile({ run, otherResults }: SuiteOutcome, { origin }: Against): ResultFile {
  const { commit: _, branch: __, dirty: ___, labels: ____, ...rest } = run;
  return buildResultFile({ run: { ...rest, ...origin, completed: otherResults.length }, results: otherResults });
}

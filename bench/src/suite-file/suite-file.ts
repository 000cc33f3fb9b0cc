import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { findNearest } from "@fleetmark/shared/config/config";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { matchGlob } from "@fleetmark/shared/model/glob";
import { seriesLimits } from "@fleetmark/shared/model/series";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { formatParams, nameBenchmark } from "../measure/benchmark-result.js";
import { runtimes } from "../runtimes/registry.js";
import { describeBenchmark, listBenchmarks, type Suite, suites } from "../suites/suites.js";
import { workloads as ownWorkloads } from "../workloads/registry.js";
import type { Benchmark } from "../workloads/workload.js";
import { type BenchmarkEntry, type SuiteFile, suiteFileSchema, type WorkloadEntry } from "./suite-file-schema.js";

/*
 * Suites of the user's own, from a file. What it names is looked for when it is read, so that a slip of the finger is
 * told before anything is measured:
 *
 *   YAML ──► shape (suite-file-schema.ts) ──► names told apart ──► modules and programs found ──► suites
 *
 * Paths are relative to the file. Whoever may write the file decides what is run: it is read where an operator named
 * it,
 * and nowhere else.
 */

/** Names that a suite can't have: they mean something already. */
const takenSuites: readonly string[] = [...suites.map(({ name }) => name), "none", "functions"];

/** A suite file that was read. */
interface Source {
  readonly path: string;
  readonly folder: string;
  readonly file: SuiteFile;
}

function refuse({ path }: Pick<Source, "path">, key: string, what: string, cause?: unknown): never {
  throw new FleetmarkError("SUITE_FILE_INVALID", `${path}: ${key === "" ? "" : `${key}: `}${what}`, { cause });
}

const knownKeys = [
  "workloads",
  "suites",
  "name",
  "module",
  "function",
  "command",
  "description",
  "benchmarks",
  "params",
  "report",
];

/** Writes a place in the file as people read it: `suites[0].benchmarks[2].params`. */
function formatKey(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}

function explainIssue(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys") return `${formatKey(issue.path)}${issue.path.length === 0 ? "" : ": "}${issue.message}`;
  const [unknown = ""] = issue.keys;
  const nearest = findNearest(unknown, [...knownKeys, "runtime", "filter", "format", "file", "select"]);
  return `unknown key ${formatKey([...issue.path, unknown])}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
}

function readSource(given: string): Source {
  const path = resolve(given);
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, "utf8"), { logLevel: "error" });
  } catch (cause) {
    refuse({ path }, "", errorMessage(cause), cause);
  }
  const result = suiteFileSchema.safeParse(parsed);
  if (!result.success) refuse({ path }, "", result.error.issues.map(explainIssue).join("\n"), result.error);
  return { path, folder: dirname(path), file: result.data };
}

function findModule(source: Source, key: string, module: string): string {
  const path = resolve(source.folder, module);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) refuse(source, key, `there is no file ${path}`);
  return pathToFileURL(path).href;
}

/** A program with a slash lies by the file; one without is looked for in PATH when it is run. */
function findProgram(source: Source, key: string, program: string): string {
  if (!program.includes("/")) return program;
  const path = resolve(source.folder, program);
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    refuse(source, key, `can't be run: ${errorMessage(cause)}`, cause);
  }
  return path;
}

/** What a workload of the file adds to each of its benchmarks. */
function prepareWorkload(source: Source, entry: WorkloadEntry, index: number): Pick<Benchmark, "module" | "command"> {
  const key = `workloads[${index}]`;
  const { module, command } = entry;
  if (ownWorkloads.some(({ name }) => name === entry.name))
    refuse(source, `${key}.name`, `${entry.name} is one of Fleetmark's own`);
  if (command !== undefined) {
    const [program = "", ...args] = command;
    const { report } = entry;
    const found = { program: findProgram(source, `${key}.command[0]`, program), args, folder: source.folder };
    return { command: report === undefined ? found : { ...found, report } };
  }
  const url = findModule(source, `${key}.module`, module ?? "");
  return { module: entry.function === undefined ? { url } : { url, function: entry.function } };
}

function checkTwice(source: Source, list: "workloads" | "suites"): void {
  const names = source.file[list].map(({ name }) => name);
  const index = names.findIndex((name, i) => names.indexOf(name) !== i);
  if (index !== -1) refuse(source, `${list}[${index}].name`, `${names[index]} is there twice`);
}

function expandFilter(source: Source, key: string, { filter = "", runtime }: BenchmarkEntry): readonly Benchmark[] {
  const found = listBenchmarks().filter(
    (each) => matchGlob(filter, nameBenchmark(each)) && (runtime === undefined || each.runtime === runtime),
  );
  if (found.length === 0) refuse(source, `${key}.filter`, `no benchmark of Fleetmark's own matches ${JSON.stringify(filter)}`);
  return found;
}

/** Fleetmark's own workload: with these parameters, or without any in all that the full suite has. */
function expandOwn(source: Source, key: string, { name = "", params, runtime }: BenchmarkEntry): readonly Benchmark[] {
  const listed = listBenchmarks().filter((each) => each.workload === name && (runtime === undefined || each.runtime === runtime));
  if (params === undefined) {
    if (listed.length === 0) refuse(source, `${key}.runtime`, `${name} does not run on ${runtime}`);
    return listed;
  }
  const wanted = formatParams(params);
  const same = listed.filter((each) => formatParams(each.params) === wanted);
  if (same.length > 0) return same;
  const on = runtimes.filter((each) => listed.some((benchmark) => benchmark.runtime === each.name));
  return on.length === 0 ? [describeBenchmark(name, params)] : on.map((each) => describeBenchmark(name, params, each));
}

type Prepared = ReadonlyMap<string, Pick<Benchmark, "module" | "command">>;

function expandEntry(source: Source, prepared: Prepared, key: string, entry: BenchmarkEntry): readonly Benchmark[] {
  const { name, params = {}, runtime } = entry;
  if (name === undefined) return expandFilter(source, key, entry);
  const own = prepared.get(name);
  if (own === undefined) {
    const known = [...prepared.keys(), ...ownWorkloads.map((each) => each.name)];
    if (ownWorkloads.some((each) => each.name === name)) return expandOwn(source, key, entry);
    const nearest = findNearest(name, known);
    return refuse(
      source,
      `${key}.name`,
      `there is no workload ${name}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
  }
  const size = formatParams(params).length;
  if (size > seriesLimits.tagValueLength) refuse(source, `${key}.params`, `are ${size} characters together (the limit is 512)`);
  const defaultRuntime = own.command === undefined ? "js" : "command";
  return [{ workload: name, category: "external", params, runtime: runtime ?? defaultRuntime, device: "cpu", ...own }];
}

function buildSuite(source: Source, prepared: Prepared, suite: SuiteFile["suites"][number], index: number): Suite {
  const { name, description } = suite;
  if (takenSuites.includes(name)) refuse(source, `suites[${index}].name`, `${name} means something already`);
  const benchmarks = suite.benchmarks.flatMap((entry, i) =>
    expandEntry(source, prepared, `suites[${index}].benchmarks[${i}]`, entry),
  );
  const names = benchmarks.map(nameBenchmark);
  const twice = names.find((each, i) => names.indexOf(each) !== i);
  if (twice !== undefined) refuse(source, `suites[${index}]`, `has ${twice} twice`);
  return { name, description, benchmarks };
}

/**
 * Reads a file of suites and workloads of the user's own.
 * @throws FleetmarkError SUITE_FILE_INVALID naming the file and the key
 */
export function readSuiteFile(path: string): readonly Suite[] {
  const source = readSource(path);
  checkTwice(source, "workloads");
  checkTwice(source, "suites");
  const { workloads, suites: given } = source.file;
  const prepared = new Map(workloads.map((entry, i) => [entry.name, prepareWorkload(source, entry, i)]));
  return given.map((suite, i) => buildSuite(source, prepared, suite, i));
}

/**
 * Reads several such files, whose suites have names of their own.
 * @throws FleetmarkError SUITE_FILE_INVALID
 */
export function readSuiteFiles(paths: readonly string[]): readonly Suite[] {
  const found = new Map<string, Suite>();
  for (const path of paths) {
    for (const suite of readSuiteFile(path)) {
      if (found.has(suite.name)) refuse({ path }, "suites", `${suite.name} is in a file before it too`);
      found.set(suite.name, suite);
    }
  }
  return [...found.values()];
}

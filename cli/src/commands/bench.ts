import { join } from "node:path";
import {
  type Benchmark,
  buildResultFile,
  findSuite,
  formatComparison,
  formatResultsTable,
  makeResultFolder,
  matchGlob,
  nameBenchmark,
  probeRuntimes,
  readBaseline,
  runSuite,
  type Suite,
  type SuiteOutcome,
  writeResultFile,
} from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type ComparisonReport, compareWithBaseline, isFailure, isSteady } from "@fleetmark/shared/judgement/comparison";
import { categories } from "@fleetmark/shared/model/result";
import { type ResultFile, resultFileJsonSchema } from "@fleetmark/shared/model/result-file";
import { formatDuration, parseDuration } from "@fleetmark/shared/model/units";
import { type Command, InvalidArgumentError, Option } from "commander";
import { chooseColours, createProgressLine } from "../output/terminal.js";

interface BenchOptions {
  readonly suite: string;
  readonly quick?: boolean;
  readonly categories?: string[];
  readonly filter?: string;
  readonly runtime?: string;
  readonly outputDir: string;
  readonly baseline?: string;
  readonly compareBaseline?: boolean;
  readonly saveBaseline?: boolean;
  readonly budget?: number;
  readonly list?: boolean;
  readonly schema?: boolean;
  readonly json?: boolean;
}

const defaultBaseline = "baseline.json";

function readBudget(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined || seconds <= 0) throw new InvalidArgumentError("A budget looks like 90s, 5m or 1h30m.");
  return seconds;
}

export function addBenchCommand(program: Command): void {
  program
    .command("bench")
    .description("run a suite on this machine, without a collector; compare with a baseline")
    .option("--suite <name>", "the suite to run", "full")
    .option("--quick", "the same as --suite quick")
    .addOption(new Option("--categories <names...>", "of these categories only").choices([...categories]))
    .option("--filter <glob>", "benchmarks whose full name matches, such as 'policy_forward*jax-js*'")
    .option("--runtime <name>", "on this runtime only (js: those that need none)")
    .option("--budget <duration>", "time for the whole suite, such as 5m", readBudget)
    .option("--output-dir <dir>", "where the result file and the baseline are kept", "./fleetmark-results")
    .option("--baseline <file>", `the baseline (default: ${defaultBaseline} in the output directory)`)
    .option("--compare-baseline", "compare with the baseline; exit code 1 on a regression of medium or high severity")
    .option("--save-baseline", "keep the steady results as the baseline")
    .option("--list", "list the benchmarks instead of running them")
    .option("--schema", "print the JSON Schema of a result file")
    .option("--json", "the result file on stdout")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark bench --quick
  fleetmark bench --categories jax environment rl --output-dir benchmark-results
  fleetmark bench --quick --save-baseline
  fleetmark bench --quick --baseline benchmark-results/baseline.json --compare-baseline
  fleetmark bench --filter 'td3_bc*' --budget 2m --json`,
    )
    .action(async (options: BenchOptions) => {
      if (options.schema) process.stdout.write(`${JSON.stringify(resultFileJsonSchema(), null, 2)}\n`);
      else if (options.list)
        process.stdout.write(
          selectBenchmarks(options)
            .benchmarks.map((each) => `${each.category.padEnd(12)} ${nameBenchmark(each)}\n`)
            .join(""),
        );
      else process.exitCode = await bench(options);
    });
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN when the suite is not known or nothing of it is left */
function selectBenchmarks(options: BenchOptions): Suite {
  const name = options.quick ? "quick" : options.suite;
  const suite = findSuite(name);
  if (suite === undefined) throw new FleetmarkError("BENCHMARK_UNKNOWN", `no suite ${name}; there are quick and full`);
  const isWanted = (benchmark: Benchmark): boolean =>
    (options.categories === undefined || options.categories.includes(benchmark.category)) &&
    (options.filter === undefined || matchGlob(options.filter, nameBenchmark(benchmark))) &&
    (options.runtime === undefined || benchmark.runtime === options.runtime);
  const benchmarks = suite.benchmarks.filter(isWanted);
  if (benchmarks.length === 0)
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `no benchmark of the suite ${suite.name} is left by these options`);
  return { ...suite, benchmarks };
}

/**
 * Leaves out what this host has no runtime for, and says so; a runtime that was asked for by name must be there.
 * @throws FleetmarkError RUNTIME_UNAVAILABLE when nothing is left
 */
async function leaveOutUnavailable(suite: Suite, asked: string | undefined): Promise<Suite> {
  const missing = new Set<string>();
  for (const report of await probeRuntimes()) {
    const count = suite.benchmarks.filter((each) => each.runtime === report.name).length;
    if (report.available || count === 0) continue;
    const what = `${count} benchmarks on ${report.name}: ${report.reason}`;
    if (asked === report.name) throw new FleetmarkError("RUNTIME_UNAVAILABLE", what);
    process.stderr.write(`left out: ${what}\n`);
    missing.add(report.name);
  }
  const benchmarks = suite.benchmarks.filter((each) => !missing.has(each.runtime));
  if (benchmarks.length === 0) throw new FleetmarkError("RUNTIME_UNAVAILABLE", "no benchmark is left that this host can run");
  return { ...suite, benchmarks };
}

async function bench(options: BenchOptions): Promise<number> {
  const suite = await leaveOutUnavailable(selectBenchmarks(options), options.runtime);
  const baselinePath = options.baseline ?? join(options.outputDir, defaultBaseline);
  // Read before hours are spent on what can't be compared.
  const baseline = options.compareBaseline ? await readBaseline(baselinePath) : undefined;

  await makeResultFolder(options.outputDir);
  const outcome = await runWithProgress(suite, options.budget);
  const file = buildResultFile(outcome);
  const path = join(options.outputDir, `results-${outcome.run.run}.json`);
  await writeResultFile(path, file);
  const report = baseline === undefined ? undefined : compareWithBaseline(outcome.results, baseline);

  if (options.json)
    process.stdout.write(`${JSON.stringify(report === undefined ? file : { ...file, comparison: report }, null, 2)}\n`);
  else process.stdout.write(formatOutcome(outcome, report));
  process.stderr.write(`results in ${path}\n`);
  if (options.saveBaseline) await saveBaseline(baselinePath, file);
  if (report !== undefined && isFailure(report)) return 1;
  return outcome.run.failures.length > 0 || outcome.results.length === 0 ? 3 : 0;
}

/** Runs the suite; Ctrl-C ends it early and keeps what was measured. */
async function runWithProgress(suite: Suite, budgetS: number | undefined): Promise<SuiteOutcome> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const progress = createProgressLine();
  try {
    return await runSuite({
      suite,
      signal: abort.signal,
      ...(budgetS === undefined ? {} : { budgetS }),
      onProgress: ({ completed, total, benchmark, elapsed_s, remaining_s }) => {
        if (benchmark === "") return;
        const time = `elapsed ${formatDuration(elapsed_s)}, remaining ${formatDuration(remaining_s)}`;
        progress.show(benchmark, `benchmark ${completed + 1} of ${total}  ${benchmark}  ${time}`);
      },
    });
  } finally {
    progress.clear();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function formatOutcome({ run, results }: SuiteOutcome, report: ComparisonReport | undefined): string {
  const colour = chooseColours(process.stdout);
  const ended = run.state === "interrupted" ? ", interrupted" : "";
  const summary = `suite ${run.suite} on ${run.host} (${run.hw_class}): ${run.completed} of ${run.total} benchmarks in ${formatDuration(run.duration)}${ended}`;
  const failures = run.failures.map(({ name, error }) => `${colour.red("failed")} ${name}: ${error}\n`).join("");
  const comparison = report === undefined ? "" : `\n${formatComparison(report, colour)}\n`;
  return `${colour.bold(summary)}\n${failures}\n${formatResultsTable(results, colour)}\n${comparison}`;
}

/** A result whose times did not settle never enters a baseline. */
async function saveBaseline(path: string, file: ResultFile): Promise<void> {
  const steady = file.results.filter(isSteady);
  await writeResultFile(path, { ...file, results: steady });
  const left = file.results.length - steady.length;
  process.stderr.write(
    `baseline of ${steady.length} results in ${path}${left === 0 ? "" : `; ${left} that were not steady are left out`}\n`,
  );
}

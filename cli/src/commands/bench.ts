import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Report } from "@fleetmark/agent";
import {
  buildResultFile,
  findOrigin,
  formatOrigin,
  formatSummary,
  makeResultFolder,
  nameBenchmark,
  type OtherBuild,
  probeRuntimes,
  readRunHistory,
  type Suite,
  type SuiteOutcome,
  writeResultFile,
} from "@fleetmark/bench";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type ComparisonReport, compareWithBaseline, countVerdicts, isFailure } from "@fleetmark/shared/judgement/comparison";
import { categories } from "@fleetmark/shared/model/result";
import { type Baseline, resultFileJsonSchema } from "@fleetmark/shared/model/result-file";
import { formatDuration } from "@fleetmark/shared/model/units";
import { type Command, Option } from "commander";
import { type Against, buildOtherFile, compareBuilds, openAgainst } from "../bench/against.js";
import { defaultBaseline, describeAcceptance, locateBaseline, readWantedBaseline, saveBaseline } from "../bench/baseline.js";
import { type Compared, printComparison } from "../bench/comparison-output.js";
import { addLabel, type BenchOptions, failures, readBudget, readDevice } from "../bench/options.js";
import { concludeReport, openReport, planReport, type Reporting } from "../bench/reporting.js";
import { runWithProgress } from "../bench/run-with-progress.js";
import { leaveOutUnavailable, needsRuntime, selectBenchmarks } from "../bench/selection.js";
import { reportFailure } from "../output/failure.js";
import { printText } from "../output/formats.js";
import { chooseColours, readWidth } from "../output/terminal.js";
import { wrapText } from "../output/width.js";
import { awaitInterruption } from "../processes/interruption.js";
import { buildResultsTable } from "../tables/results.js";

const examples = `
Examples:
  fleetmark bench --quick
  fleetmark bench --categories jax environment rl --output-dir benchmark-results
  fleetmark bench --quick --save-baseline
  fleetmark bench --quick --baseline benchmark-results/baseline.json --compare-baseline
  fleetmark bench --suite-file suites.yaml --suite plant --report
  fleetmark bench --suite-file suites.yaml --against main
  fleetmark bench --suite gpu --device gpu0
  fleetmark bench --filter 'td3_bc*' --budget 2m --json`;

function addSelectionOptions(command: Command): Command {
  return command
    .option("--suite <name>", "the suite to run (default: full, or the only one of --suite-file)")
    .option("--quick", "the same as --suite quick")
    .option("--suite-file <file>", "suites and workloads of your own; docs/own-benchmarks.md shows one")
    .addOption(new Option("--categories <names...>", "of these categories only").choices([...categories]))
    .option("--filter <glob>", "benchmarks whose full name matches, such as 'policy_forward*jax-js*'")
    .option("--runtime <name>", "on this runtime only (js: those that need none)")
    .addOption(
      new Option("--device <name>", "of what is measured once a card, on this one only: gpu0, gpu1, …").argParser(readDevice),
    )
    .option("--budget <duration>", "time for the whole suite, such as 5m", readBudget);
}

function addBaselineOptions(command: Command): Command {
  return command
    .option("--baseline <file>", `the baseline (default: ${defaultBaseline} in the output directory)`)
    .option("--map <file>", 'names of another suite\'s baseline: {"their name": "our name"}, as JSON')
    .option("--compare-baseline", "compare with the baseline; exit code 1 on a regression of medium or high severity")
    .option("--against <tree>", "measure another build in turns with this one, and compare: a folder, or a commit such as main")
    .addOption(
      new Option("--fail-on <what...>", "what ends a comparison with exit code 1").choices(failures).default(["regression"]),
    )
    .option("--save-baseline", "keep the steady results as the baseline; a part of a suite replaces its own alone")
    .option("--accept [reason]", "keep them as the baseline even where they regressed, with who and why; exit code 0 then");
}

function addReportOptions(command: Command): Command {
  return command
    .option("--report [address]", "send the results to the fleet's collector, as this host's agent is configured to")
    .option("-c, --config <file>", "YAML configuration of the agent, for --report")
    .option("--send-only", "send what earlier reports left in the output directory, and measure nothing");
}

export function defineBench(command: Command): void {
  addSelectionOptions(command)
    .addOption(
      new Option("--label <text>", "said of what is measured: a text or key=value, as often as wanted")
        .argParser(addLabel)
        .default({}, "none"),
    )
    .option("--output-dir <dir>", "where the result file and the baseline are kept", "./fleetmark-results")
    .option("--summary <file>", "write what came of it in Markdown, for a job's summary or a comment");
  addReportOptions(addBaselineOptions(command))
    .option("--list", "list the benchmarks instead of running them")
    .option("--schema", "print the JSON Schema of a result file")
    .option("--json", "the result file on stdout")
    .addHelpText("after", examples)
    .action(async (options: BenchOptions) => {
      if (options.schema) process.stdout.write(`${JSON.stringify(resultFileJsonSchema(), null, 2)}\n`);
      else if (options.list) await listSelected(selectBenchmarks(options), options);
      else process.exitCode = await bench(command, options);
    });
}

/** Lists what would be measured, and marks what this host has no runtime for. */
async function listSelected({ benchmarks }: Suite, { json }: BenchOptions): Promise<void> {
  const reports = await probeRuntimes();
  const missing = new Map(reports.flatMap((report) => (report.available ? [] : [[report.name, report.reason] as const])));
  const rows = benchmarks.map((each) => {
    const reason = needsRuntime(each, each.runtime) ? missing.get(each.runtime) : undefined;
    return { name: nameBenchmark(each), category: each.category, runtime: each.runtime, unavailable: reason ?? null };
  });
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  for (const { name, category, unavailable } of json ? [] : rows)
    process.stdout.write(`${category.padEnd(12)} ${name}${unavailable === null ? "" : `  (not here: ${unavailable})`}\n`);
}

/** @throws FleetmarkError USAGE where a flag would change nothing */
function checkUse({ baseline, compareBaseline, saveBaseline, accept, map, against }: BenchOptions): void {
  if (against !== undefined && compareBaseline)
    throw new FleetmarkError("USAGE", "--against compares with another build, --compare-baseline with a file: choose one");
  if (map !== undefined && !compareBaseline) throw new FleetmarkError("USAGE", "--map is for --compare-baseline");
  if (baseline === undefined || compareBaseline || saveBaseline || accept !== undefined) return;
  throw new FleetmarkError(
    "USAGE",
    "--baseline names a file: say --compare-baseline to compare with it, or --save-baseline to keep one there",
  );
}

/** One short process a benchmark takes about as long, in seconds. */
const shortestBenchmarkS = 0.5;

/** @throws FleetmarkError USAGE where no budget could be kept */
function checkBudget({ budget, against }: BenchOptions, benchmarks: number): void {
  const least = Math.ceil(shortestBenchmarkS * benchmarks * (against === undefined ? 1 : 2));
  if (budget === undefined || budget >= least) return;
  throw new FleetmarkError("USAGE", `a budget of ${budget} s is too short for ${benchmarks} benchmarks: give ${least}s or more`);
}

async function bench(command: Command, options: BenchOptions): Promise<number> {
  checkUse(options);
  const reporting = await planReport(command, options);
  if (options.sendOnly && reporting !== undefined) return (await concludeReport(await openReport(reporting), reporting)) ? 0 : 3;
  const suite = await leaveOutUnavailable(selectBenchmarks(options), options.runtime);
  checkBudget(options, suite.benchmarks.length);
  // Before hours are spent on what can't be compared, or kept.
  const baseline = await readWantedBaseline(options);
  await prepareFolders(options);
  const interruption = awaitInterruption();
  let against: Against | undefined;
  try {
    if (options.against !== undefined) against = await openAgainst(options.against, options, interruption.signal);
    const sent = reporting === undefined ? undefined : await openReport(reporting);
    const outcome = await measure(suite, options, { reporting, sent, signal: interruption.signal, against: against?.build });
    interruption.release();
    const compared = compare(outcome, baseline, against);
    await conclude(outcome, compared, options, against);
    const isReported = reporting === undefined || sent === undefined || (await concludeReport(sent, reporting));
    return interruption.caught() ?? chooseExitCode(outcome, compared, options, isReported);
  } catch (thrown) {
    // What Ctrl-C ended while the other build was looked for fails with a reason of its own.
    const code = interruption.caught();
    if (code === undefined || against !== undefined) throw thrown;
    return code;
  } finally {
    await against?.close();
  }
}

function compare(outcome: SuiteOutcome, baseline: Baseline | undefined, against: Against | undefined): Compared | undefined {
  if (against !== undefined) return { report: compareBuilds(outcome, against), former: against.build.name };
  return baseline === undefined ? undefined : { report: compareWithBaseline(outcome.results, baseline), former: "the baseline" };
}

/** @throws FleetmarkError DATA_UNWRITABLE */
async function prepareFolders(options: BenchOptions): Promise<void> {
  const isSaved = options.saveBaseline === true || options.accept !== undefined;
  const files = [isSaved ? locateBaseline(options) : undefined, options.summary].filter((file) => file !== undefined);
  for (const folder of new Set([options.outputDir, ...files.map(dirname)])) await makeResultFolder(folder);
}

interface Measuring {
  readonly reporting: Reporting | undefined;
  readonly sent: Report | undefined;
  /** The first signal ends the run early and keeps what was measured. */
  readonly signal: AbortSignal;
  readonly against: OtherBuild | undefined;
}

/** Runs the suite and, where it is asked for, reports each result as soon as it is there. */
async function measure(
  suite: Suite,
  options: BenchOptions,
  { reporting, sent, signal, against }: Measuring,
): Promise<SuiteOutcome> {
  const origin = await findOrigin({ labels: options.label });
  const budget = options.budget === undefined ? {} : { budgetS: options.budget };
  const device = options.device === undefined ? {} : { device: options.device };
  const place = reporting === undefined ? {} : { host: reporting.config.host, hardwareClass: reporting.hardwareClass };
  const findHistory = await readRunHistory(options.outputDir);
  const outcome = await runWithProgress({
    suite,
    origin,
    findHistory,
    signal,
    onResult: (result) => sent?.addResult(result),
    onLeftOut: (sentence) => process.stderr.write(`left out: ${sentence}\n`),
    ...place,
    ...budget,
    ...device,
    ...(against === undefined ? {} : { against }),
  });
  await sent?.addRun(outcome.run);
  return outcome;
}

/** Keeps and shows what came of it. */
async function conclude(
  outcome: SuiteOutcome,
  compared: Compared | undefined,
  options: BenchOptions,
  against: Against | undefined,
): Promise<void> {
  const file = buildResultFile(outcome);
  const path = join(options.outputDir, `results-${outcome.run.run}.json`);
  await writeResultFile(path, file);
  const otherPath = join(options.outputDir, `results-${outcome.run.run}-against.json`);
  if (against !== undefined) await writeResultFile(otherPath, buildOtherFile(outcome, against));
  const report = compared?.report;
  if (options.json)
    process.stdout.write(
      `${JSON.stringify(report === undefined ? file : { ...file, comparison: { ...report, counts: countVerdicts(report) } }, null, 2)}\n`,
    );
  else printOutcome(outcome, compared);
  process.stderr.write(`results in ${path}${against === undefined ? "" : `, of the other build in ${otherPath}`}\n`);
  const accepted = options.accept === undefined ? undefined : describeAcceptance(options.accept, report);
  if (options.saveBaseline || accepted !== undefined) {
    await saveBaseline(locateBaseline(options), file, accepted, { hasChoice: hasChoice(options) });
  }
  if (options.summary !== undefined)
    await writeSummary(options.summary, formatSummary({ ...outcome, report, former: compared?.former, accepted }));
}

/** @throws FleetmarkError DATA_UNWRITABLE */
async function writeSummary(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
}

function printOutcome({ run, results }: SuiteOutcome, compared: Compared | undefined): void {
  const colour = chooseColours(process.stdout);
  const ended = run.state === "interrupted" ? ", interrupted" : "";
  const summary = `suite ${run.suite} on ${run.host} (${run.hw_class}): ${run.completed} of ${run.total} benchmarks in ${formatDuration(run.duration)}${ended}`;
  const origin = formatOrigin(run);
  const measured = origin === "" ? "" : `measured: ${origin}\n`;
  const failures = run.failures.map(({ name, error }) => `${colour.red("failed")} ${name}: ${error}\n`).join("");
  process.stdout.write(`${wrapText(`${colour.bold(summary)}\n${measured}${failures}`, readWidth(process.stdout))}\n`);
  printText(buildResultsTable(results), "; the result file has all");
  if (compared !== undefined) printComparison(compared, colour);
}

/** Whether flags leave out some of a suite. */
function hasChoice({ categories, filter, runtime }: BenchOptions): boolean {
  return categories !== undefined || filter !== undefined || runtime !== undefined;
}

/** Whether a comparison found what is to fail the job. */
function isRefused(report: ComparisonReport, options: BenchOptions): boolean {
  const { failOn = ["regression"] } = options;
  const { undecided, missing } = countVerdicts(report);
  return (
    (failOn.includes("regression") && isFailure(report)) ||
    (failOn.includes("inconclusive") && undecided > 0) ||
    // What was not chosen is not missing.
    (failOn.includes("missing") && missing > 0 && !hasChoice(options))
  );
}

/**
 * 1 on what `--fail-on` names and nobody accepted, 3 where something asked for could not be done, of which a comparison
 * that judged nothing is one, else 0.
 */
function chooseExitCode(
  { run, results }: SuiteOutcome,
  compared: Compared | undefined,
  options: BenchOptions,
  isReported: boolean,
): number {
  const { accept } = options;
  const report = compared?.report;
  if (report !== undefined && accept === undefined && isRefused(report, options)) return 1;
  if (run.failures.length > 0 || results.length === 0) return 3;
  if (report !== undefined && accept === undefined) {
    const { regressed, improved, unchanged, undecided } = countVerdicts(report);
    const why =
      undecided === 0 ? `${compared?.former} has none of the benchmarks that were measured` : "no figure could be decided";
    if (regressed + improved + unchanged === 0) return reportFailure(new FleetmarkError("NOTHING_COMPARED", why));
  }
  return isReported ? 0 : 3;
}

import { writeFile } from "node:fs/promises";
import { findOrigin, readRunHistory } from "@fleetmark/bench";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Fitness, qualifyHost } from "@fleetmark/shared/judgement/peers/qualification";
import { compareHost, fewestPeers, groupByHost, type HostResults } from "@fleetmark/shared/judgement/peers/slow-hosts";
import { parseReference, type ReadReference, type Reference } from "@fleetmark/shared/model/reference";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { parseResultFile } from "@fleetmark/shared/model/result-file";
import { version } from "@fleetmark/shared/version";
import type { Command } from "commander";
import { readBudget } from "../bench/options.js";
import { readResultText } from "../bench/result-text.js";
import { runWithProgress } from "../bench/run-with-progress.js";
import { leaveOutUnavailable, selectBenchmarks } from "../bench/selection.js";
import { printText } from "../output/formats.js";
import { printJson, tell } from "../output/message.js";
import { chooseColours, readWidth } from "../output/terminal.js";
import { escapeControls, wrapText } from "../output/width.js";
import { awaitInterruption } from "../processes/interruption.js";
import { buildPeerTable } from "../tables/standings.js";
import { addSourceFlags, withSource } from "./read/source-flags.js";

interface QualifyOptions {
  readonly suite: string;
  readonly suiteFile?: string;
  readonly budget?: number;
  readonly results?: string;
  readonly reference?: readonly string[];
  readonly export?: string;
  readonly class?: string;
  readonly json?: boolean;
}

const help = `
Exit code 0: fit. 1: slow, or broken (it can't run what its peers run). 3: cannot
say, for fewer than ${fewestPeers} peers measured the same and no reference is given.

Examples:
  fleetmark qualify --collector https://fleet.example:7421 --token-file token
  fleetmark qualify --export h100.json --class nvidia-h100-8x_96c_1024g
  fleetmark qualify --reference h100.json --budget 90s --json
  HealthCheckProgram=/usr/local/sbin/fleetmark-qualify   (Slurm: a script of that line)`;

export function defineQualify(command: Command): void {
  addSourceFlags(command)
    .option("--suite <name>", "the suite to run", "quick")
    .option("--suite-file <file>", "suites and workloads of your own")
    .option("--budget <duration>", "time for the whole suite, such as 90s", readBudget)
    .option("--results <file>", "judge this result file, and measure nothing")
    .option("--reference <files...>", "compare with these, and ask nobody: files of --export, or of bench on other hosts")
    .option("--export <file>", "write what the hosts of a class measured as a reference, and measure nothing")
    .option("--class <name>", "the class that is exported; the only one, if it is left out")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", help)
    .action(async (options: QualifyOptions) => {
      if (options.export !== undefined) await exportReference(command, options.export, options);
      else process.exitCode = await qualify(command, options);
    });
}

/** @throws FleetmarkError SUBJECT_UNKNOWN, DATA_UNWRITABLE */
async function exportReference(command: Command, path: string, { class: wanted, json }: QualifyOptions): Promise<void> {
  const all = await withSource(command, (source) => source.readResults({}));
  const classes = [...new Set(all.map(({ hw_class }) => hw_class))];
  const hwClass = wanted ?? (classes.length === 1 ? classes[0] : undefined);
  if (hwClass === undefined || !classes.includes(hwClass))
    throw new FleetmarkError("SUBJECT_UNKNOWN", `--class names one of ${classes.join(", ") || "none: nothing was measured yet"}`);
  const hosts = groupByHost(all.filter(({ hw_class }) => hw_class === hwClass)).map(({ host, results }) => ({
    host,
    results: [...results],
  }));
  const format = "fleetmark-reference/1" as const;
  const reference: Reference = { format, fleetmark_version: version, hw_class: hwClass, time_us: Date.now() * 1000, hosts };
  try {
    await writeFile(path, `${JSON.stringify(reference)}\n`);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
  if (json) printJson({ file: path, hw_class: hwClass, hosts: hosts.length });
  else tell(`${hosts.length} hosts of ${hwClass} are in ${path}`);
}

interface Measured {
  readonly run: Run;
  readonly results: readonly Result[];
}

/** Reads what was measured; undefined where nothing is named. */
async function readMeasured({ results: path }: QualifyOptions): Promise<Measured | undefined> {
  return path === undefined ? undefined : parseResultFile(await readResultText(path), path);
}

/** Measures this host. @throws FleetmarkError BENCHMARK_UNKNOWN, SUITE_FILE_INVALID */
async function measure({ suite: name, suiteFile, budget }: QualifyOptions, signal: AbortSignal): Promise<Measured> {
  const chosen = { suite: name, label: {}, outputDir: ".", ...(suiteFile === undefined ? {} : { suiteFile }) };
  const suite = await leaveOutUnavailable(selectBenchmarks(chosen), undefined);
  const budgeted = budget === undefined ? {} : { budgetS: budget };
  const findHistory = await readRunHistory("./fleetmark-results");
  return runWithProgress({ suite, origin: await findOrigin({ labels: {} }), findHistory, signal, ...budgeted });
}

/** What a host may be compared with: named files, or all that a collector knows. */
interface Candidates {
  readonly references: readonly (ReadReference & { readonly path: string })[] | undefined;
  readonly results: readonly Result[];
}

/** Reads what the host may be compared with, before minutes are spent on measuring it. */
async function readCandidates(command: Command, { reference }: QualifyOptions): Promise<Candidates> {
  if (reference === undefined)
    return { references: undefined, results: await withSource(command, (source) => source.readResults({})) };
  const read = async (path: string) => ({ path, ...parseReference(await readResultText(path), path) });
  return { references: await Promise.all(reference.map(read)), results: [] };
}

interface Peers {
  readonly hosts: readonly HostResults[];
  /** How many of them it takes. */
  readonly fewest: number;
}

/** @throws FleetmarkError NOTHING_COMPARED where a reference is of another hardware class */
function selectPeers({ hw_class, host }: Run, { references, results }: Candidates): Peers {
  if (references === undefined) {
    const peers = results.filter((result) => result.hw_class === hw_class && result.host !== host);
    return { hosts: groupByHost(peers), fewest: fewestPeers };
  }
  const other = references.find((each) => each.hw_class !== hw_class);
  if (other !== undefined)
    throw new FleetmarkError("NOTHING_COMPARED", `${other.path} is of the class ${other.hw_class}, this host of ${hw_class}`);
  return { hosts: references.flatMap(({ hosts }) => hosts), fewest: 1 };
}

const exitCodes: Readonly<Record<Fitness, number>> = { fit: 0, slow: 1, broken: 1, "cannot-say": 3 };

async function qualify(command: Command, options: QualifyOptions): Promise<number> {
  const candidates = await readCandidates(command, options);
  const known = await readMeasured(options);
  if (known !== undefined) return conclude(known, selectPeers(known.run, candidates), options);
  const interruption = awaitInterruption();
  const measured = await measure(options, interruption.signal);
  interruption.release();
  // Half a suite says nothing of a host.
  return interruption.caught() ?? conclude(measured, selectPeers(measured.run, candidates), options);
}

/** Says whether the host is fit, and why. @returns the exit code */
function conclude({ run, results }: Measured, { hosts, fewest }: Peers, { json }: QualifyOptions): number {
  const standing = compareHost({ host: run.host, results }, hosts);
  const known = new Set(hosts.flatMap((each) => each.results.map(({ name }) => name)));
  const { fitness, why } = qualifyHost({ run, results, standing, known, fewest });
  const comparisons = [...standing.comparisons].sort((a, b) => b.change - a.change);
  if (json) {
    const { host, hw_class, failures } = run;
    printJson({ host, hw_class, fitness, why, peers: standing.peers, comparisons, failures });
    return exitCodes[fitness];
  }
  if (comparisons.length > 0) printText(buildPeerTable(comparisons), "; --json has all");
  const colour = chooseColours(process.stdout);
  const paint = { fit: colour.green, slow: colour.red, broken: colour.red, "cannot-say": colour.yellow }[fitness];
  const word = fitness === "cannot-say" ? "neither fit nor unfit that one can say" : fitness;
  process.stdout.write(
    `${wrapText(`${escapeControls(run.host)} is ${paint(word)}: ${escapeControls(why)}`, readWidth(process.stdout))}\n`,
  );
  return exitCodes[fitness];
}

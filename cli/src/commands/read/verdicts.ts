import { type ErrorRate, estimateErrorRate, type Mark } from "@fleetmark/shared/judgement/error-rate";
import { verdicts } from "@fleetmark/shared/judgement/verdict";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { type Command, Option } from "commander";
import { identifySeries } from "../../client/last-results.js";
import { readPages } from "../../client/pages.js";
import type { Source, VerdictFilter } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { readWidth } from "../../output/terminal.js";
import { escapeControls, wrapText } from "../../output/width.js";
import { buildErrorRateTable, buildVerdictTable } from "../../tables/judged.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, withSource } from "./source-flags.js";

interface VerdictsOptions extends FormatOptions, Pick<VerdictFilter, "host" | "benchmark" | "verdict"> {
  readonly class?: string;
  readonly all?: boolean;
  readonly errorRate?: boolean;
}

export function defineVerdicts(command: Command): void {
  addSourceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--class <name>", "of hosts of this hardware class only")
    .option("--benchmark <name>", "of this workload only")
    .addOption(new Option("--verdict <verdict>", "with this verdict only").choices(verdicts))
    .option("--all", "also those that are unchanged, or have nothing to be compared with")
    .option("--error-rate", "how often what did not change was called slower, by what became of it")
    .addHelpText(
      "after",
      `
Each result is judged when its run has ended: against what was pinned, or else
the last results of the same host in the same environment, of the best level that
they had. The interval is that of one more result among them.`,
    );
  addReadingHelp(addFormatFlags(command), [
    "verdicts",
    "verdicts --verdict regressed --class amd-epyc_2c_24g",
    "verdicts --host gpu-7 --all --format csv",
    "verdicts --error-rate",
  ]);
  command.action(async (options: VerdictsOptions) => {
    if (options.errorRate) return showErrorRate(await withSource(command, (source) => readErrorRate(source, options)), options);
    const { host, class: hw_class, benchmark, verdict, format } = options;
    const found = await withSource(command, (source) => source.readVerdicts({ host, hw_class, benchmark, verdict }));
    const shown = found.filter((each) => options.all === true || verdict !== undefined || isNews(each)).sort(compareNews);
    if (found.length === 0 && format === "table") tellNothingFound("verdicts", { host, benchmark });
    else if (shown.length === 0 && format === "table") tell(describeQuiet(found));
    else {
      printTable(buildVerdictTable(shown), shown, format);
      if (format === "table") printReasons(shown);
    }
  });
}

/** What explains what moved, in whole sentences, where a table has no place for them. */
function printReasons(shown: readonly VerdictRecord[]): void {
  const several = new Set(shown.map(({ host }) => host)).size > 1;
  const sentences = shown
    .filter(({ why }) => why !== "")
    .map(({ host, name, why }) => `${escapeControls(several ? `${host}, ${name}` : name)}: ${escapeControls(why)}`);
  if (sentences.length > 0) process.stdout.write(`\n${wrapText(sentences.join("\n"), readWidth(process.stdout))}\n`);
}

/** Reads all verdicts, and tells how often they were wrong. */
async function readErrorRate(source: Source, { host, class: hw_class, benchmark }: VerdictsOptions): Promise<ErrorRate> {
  const found: VerdictRecord[] = [];
  const pages = readPages(
    (page) => source.readNewestVerdicts({ host, hw_class, benchmark }, page),
    (each) => `${each.time_us} ${identifySeries(each)}`,
  );
  for await (const each of pages) if (each.baseline !== "none") found.push(each);
  const marks = await readMarks(source, { host, benchmark });
  return estimateErrorRate(found.map((each) => ({ ...each, mark: marks.get(`${each.time_us} ${identifySeries(each)}`) })));
}

/** Reads what people said of verdicts, by the verdict's time and its series; their latest word counts. */
async function readMarks(source: Source, filter: Pick<VerdictsOptions, "host" | "benchmark">): Promise<Map<string, Mark>> {
  const marks = new Map<string, Mark>();
  const pages = readPages(
    (page) => source.readVerdictMarks(filter, page),
    (each) => `${each.time_us} ${identifySeries(each)}`,
  );
  for await (const { mark, verdict_us, ...said } of pages) {
    const key = `${verdict_us} ${identifySeries(said)}`;
    if (!marks.has(key)) marks.set(key, mark);
  }
  return marks;
}

function showErrorRate(rate: ErrorRate, { format }: FormatOptions): void {
  if (format !== "table") {
    printTable(buildErrorRateTable(rate), rate, format);
    return;
  }
  const { verdicts: count, alarms, false_alarms: wrong, benchmark_years: years, per_year, low, high } = rate;
  process.stdout.write(
    `${count} verdicts: ${alarms} regressions began, of which ${wrong} were false: over by themselves within two results, or called so\n`,
  );
  if (per_year === null || low === null || high === null)
    process.stdout.write("that is less than a day of one benchmark: no rate can be told yet\n");
  else
    process.stdout.write(
      `false alarms per benchmark and year: ${per_year.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}), over ${years.toFixed(1)} years of benchmarks\n`,
    );
}

/** Says that nothing moved, and of how many benchmarks that is known. */
function describeQuiet(found: readonly VerdictRecord[]): string {
  const unchanged = found.filter(({ verdict }) => verdict === "unchanged").length;
  const alone = found.filter(({ baseline }) => baseline === "none").length;
  const rest = found.length - unchanged - alone;
  return `nothing is known to have moved: ${unchanged} benchmarks are as before, ${rest} undecided, ${alone} with nothing to be compared with (--all lists them)`;
}

const order = ["regressed", "improved", "inconclusive", "not-steady", "unchanged"] as const;

/** What moved, or would have but for the machine. */
function isNews({ verdict, cause }: VerdictRecord): boolean {
  return verdict === "regressed" || verdict === "improved" || cause !== "";
}

/** Regressions first, the worst of them at the top. */
function compareNews(a: VerdictRecord, b: VerdictRecord): number {
  return order.indexOf(a.verdict) - order.indexOf(b.verdict) || b.change - a.change || (a.name < b.name ? -1 : 1);
}

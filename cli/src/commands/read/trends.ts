import { matchGlob } from "@fleetmark/bench";
import { type BenchmarkTrend, fewestForTrend, findTrend, shortestTrendDays } from "@fleetmark/shared/judgement/trend";
import type { Result } from "@fleetmark/shared/model/result";
import type { Command } from "commander";
import { identifySeries, readLastOfEach } from "../../client/last-results.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { buildTrendTable } from "../../tables/trends.js";
import { addReadingHelp, addSourceFlags, readCount, withSource } from "./source-flags.js";

interface TrendsOptions extends FormatOptions {
  readonly host?: string;
  readonly last: number;
  readonly all?: boolean;
}

export function defineTrends(command: Command): void {
  addSourceFlags(command)
    .argument("[glob]", "benchmarks whose full name or workload matches", "*")
    .option("--host <name>", "of this host only")
    .option("--last <n>", "by the last n results of each benchmark on each host", readCount, 60)
    .option("--all", "also those without a trend")
    .addHelpText(
      "after",
      `
A line by Theil and Sen through the results that settled, and whether there is a
trend by the test of Mann and Kendall, corrected for autocorrelation: p under .05,
and 2 % in all. Beside it the mean of the last three against that of the rest.`,
    );
  addReadingHelp(addFormatFlags(command), [
    "trends",
    "trends 'policy_forward*' --host gpu-7 --last 200",
    "trends --all --format csv",
  ]);
  command.action(async (glob: string, options: TrendsOptions) => {
    const { host, last, format } = options;
    const isWanted = ({ name, benchmark }: Result): boolean => matchGlob(glob, name) || matchGlob(glob, benchmark);
    const results = await withSource(command, (source) => readLastOfEach(source, { host }, last, isWanted));
    const trends = findTrends(results);
    const shown = trends.filter(({ direction }) => options.all === true || direction !== "none");
    if (shown.length === 0 && format === "table") tell(describeNone(trends, results));
    else printTable(buildTrendTable(shown), shown, format);
  });
}

/** The trend of each benchmark on each host, what becomes slower first. @param results the newest first */
function findTrends(results: readonly Result[]): BenchmarkTrend[] {
  const series = new Map<string, Result[]>();
  for (const result of [...results].reverse()) {
    const known = series.get(identifySeries(result));
    if (known === undefined) series.set(identifySeries(result), [result]);
    else known.push(result);
  }
  const found = [...series.values()].map(findTrend).filter((trend) => trend !== undefined);
  return found.sort((a, b) => b.per_week - a.per_week || (a.name < b.name ? -1 : 1));
}

function describeNone(trends: readonly BenchmarkTrend[], results: readonly Result[]): string {
  if (results.length === 0) return "no results yet";
  if (trends.length === 0) return `no benchmark has ${fewestForTrend} settled results over ${shortestTrendDays} days yet`;
  return `no trend in ${trends.length} benchmarks (--all lists them)`;
}

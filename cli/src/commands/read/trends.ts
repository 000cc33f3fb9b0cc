import { writeFile } from "node:fs/promises";
import { matchGlob } from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Environment } from "@fleetmark/shared/judgement/explanation";
import { type BenchmarkTrend, fewestForTrend, findTrend, shortestTrendDays } from "@fleetmark/shared/judgement/trend";
import type { Result } from "@fleetmark/shared/model/result";
import { drawTrends } from "@fleetmark/shared/reports/trend-chart";
import { layOutCourse } from "@fleetmark/shared/reports/trend-course";
import type { Command } from "commander";
import { identifySeries, readLastOfEach } from "../../client/last-results.js";
import type { Source } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { buildTrendTable } from "../../tables/trends.js";
import { addReadingHelp, addSourceFlags, readCount, withSource } from "./source-flags.js";

interface TrendsOptions extends FormatOptions {
  readonly host?: string;
  readonly last: number;
  readonly all?: boolean;
  readonly svg?: string;
}

export function defineTrends(command: Command): void {
  addSourceFlags(command)
    .argument("[glob]", "benchmarks whose full name or workload matches", "*")
    .option("--host <name>", "of this host only")
    .option("--last <n>", "by the last n results of each benchmark on each host", readCount, 60)
    .option("--all", "also those without a trend")
    .option("--svg <file>", "draw their courses there: baseline, lasting changes, changes of the environment")
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
    "trends 'td3_bc_update*' --host gpu-7 --all --svg td3.svg",
  ]);
  command.action(async (glob: string, options: TrendsOptions) => {
    const { host, last, format } = options;
    const isWanted = ({ name, benchmark }: Result): boolean => matchGlob(glob, name) || matchGlob(glob, benchmark);
    const { results, environments } = await withSource(command, async (source) => {
      const found = await readLastOfEach(source, { host }, last, isWanted);
      return { results: found, environments: options.svg === undefined ? new Map() : await readEnvironments(source, found) };
    });
    const trends = findTrends(results);
    const shown = trends.filter(({ direction }) => options.all === true || direction !== "none");
    if (options.svg !== undefined)
      await drawCourses(options.svg, results, options.all === true ? undefined : shown, environments);
    if (shown.length === 0 && format === "table") tell(describeNone(trends, results));
    else printTable(buildTrendTable(shown), shown, format);
  });
}

/** So many runs of a host are looked back for what it was like. */
const mostRuns = 1000;

/** What hosts were like in the runs of results, by run. */
async function readEnvironments(source: Source, results: readonly Result[]): Promise<Map<string, Environment>> {
  const environments = new Map<string, Environment>();
  for (const host of new Set(results.map((result) => result.host))) {
    for (const { run, fingerprint } of await source.readRuns({ host }, { limit: mostRuns })) environments.set(run, fingerprint);
  }
  return environments;
}

/**
 * Draws the courses of benchmarks, those with the given trends or all.
 * @throws FleetmarkError REQUEST_INVALID where there is none to draw, or too many for one picture
 */
async function drawCourses(
  file: string,
  results: readonly Result[],
  wanted: readonly BenchmarkTrend[] | undefined,
  environments: ReadonlyMap<string, Environment>,
): Promise<void> {
  const names = wanted === undefined ? undefined : new Set(wanted.map(identifySeries));
  const courses = groupSeries(results).flatMap((series) => {
    const isWanted = names === undefined || (series[0] !== undefined && names.has(identifySeries(series[0])));
    const course = isWanted ? layOutCourse(series, environments, describeCourse(findTrend(series))) : undefined;
    return course === undefined ? [] : [course];
  });
  if (courses.length === 0)
    throw new FleetmarkError("REQUEST_INVALID", "--svg: no benchmark has a course to draw (--all draws those without a trend)");
  if (courses.length > mostCourses) {
    throw new FleetmarkError(
      "REQUEST_INVALID",
      `--svg: ${courses.length} courses are too many for one picture (at most ${mostCourses}): name benchmarks or a host`,
    );
  }
  await writeFile(file, drawTrends(courses));
  tell(`${courses.length} ${courses.length === 1 ? "course is" : "courses are"} drawn in ${file}`);
}

const mostCourses = 200;

function describeCourse(trend: BenchmarkTrend | undefined): string {
  if (trend === undefined) return "too few results, or of too short a time, for a trend";
  const { direction, per_week, low, high, results } = trend;
  const measure = trend.unit === "%" ? "points" : "%";
  const word = direction === "none" ? "no trend" : direction;
  return `${word}: ${per_week.toFixed(1)} ${measure} a week (${low.toFixed(1)} to ${high.toFixed(1)}), by ${results} results`;
}

/** The trend of each benchmark on each host, what becomes slower first. @param results the newest first */
function findTrends(results: readonly Result[]): BenchmarkTrend[] {
  const found = groupSeries(results)
    .map(findTrend)
    .filter((trend) => trend !== undefined);
  return found.sort((a, b) => b.per_week - a.per_week || (a.name < b.name ? -1 : 1));
}

/** The results of each benchmark on each host, in order of time. @param results the newest first */
function groupSeries(results: readonly Result[]): Result[][] {
  const series = new Map<string, Result[]>();
  for (const result of [...results].reverse()) {
    const known = series.get(identifySeries(result));
    if (known === undefined) series.set(identifySeries(result), [result]);
    else known.push(result);
  }
  return [...series.values()];
}

function describeNone(trends: readonly BenchmarkTrend[], results: readonly Result[]): string {
  if (results.length === 0) return "no results yet";
  if (trends.length === 0) return `no benchmark has ${fewestForTrend} settled results over ${shortestTrendDays} days yet`;
  return `no trend in ${trends.length} benchmarks (--all lists them)`;
}

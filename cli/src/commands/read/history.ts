import { matchGlob } from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { compareFigure } from "@fleetmark/shared/judgement/comparison";
import { findKpis } from "@fleetmark/shared/model/kpis";
import { findNearest } from "@fleetmark/shared/model/nearest";
import type { Result } from "@fleetmark/shared/model/result";
import type { Command } from "commander";
import { identifySeries, readLastOfEach } from "../../client/last-results.js";
import type { Source } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildHistoryTable, type HistoryRow } from "../../tables/history.js";
import { addReadingHelp, addSourceFlags, readCount, withSource } from "./source-flags.js";

interface HistoryOptions extends FormatOptions {
  readonly host?: string;
  readonly last: number;
}

export function defineHistory(command: Command): void {
  addSourceFlags(command)
    .argument("<benchmark>", "a workload, a benchmark's full name, a glob of such names, or a KPI's id")
    .option("--host <name>", "of this host only")
    .option("--last <n>", "the last n of each benchmark on each host", readCount, 20);
  addReadingHelp(addFormatFlags(command), [
    "history policy_forward",
    "history 'policy_forward{batch=1} tfjs-wasm/cpu' --last 5",
    "history compilation_time_s --host gpu-7 --format csv",
  ]);
  command.action(async (benchmark: string, options: HistoryOptions) => {
    const rows = await withSource(command, (source) => readHistory(source, benchmark, options));
    printTable(
      buildHistoryTable(rows),
      rows.map(({ result, change }) => ({ ...result, change: change ?? null })),
      options.format,
    );
  });
}

/** Makes the test whether a result is of what was named. */
function createMatcher(named: string): (result: Result) => boolean {
  return (result) => {
    const { name, benchmark, params } = result;
    const names = [name, benchmark, `${benchmark}{${params}}`, ...findKpis(result).map(({ id }) => id)];
    return names.includes(named) || matchGlob(named, name);
  };
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest that was measured */
async function refuseUnknown(source: Source, named: string, host: string | undefined): Promise<never> {
  const measured = await source.readResults({ host });
  const names = measured.flatMap((result) => [result.benchmark, result.name, ...findKpis(result).map(({ id }) => id)]);
  const nearest = findNearest(named, names);
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  const where = host === undefined ? "" : ` on ${host}`;
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `nothing named ${named} was measured${where}${hint}`);
}

async function readHistory(source: Source, named: string, { host, last }: HistoryOptions): Promise<readonly HistoryRow[]> {
  // One more of each is what the oldest that is shown is compared with.
  const results = await readLastOfEach(source, { host }, last + 1, createMatcher(named));
  if (results.length === 0) return refuseUnknown(source, named, host);
  const rows = pairWithFormer(results, last);
  return rows.sort((a, b) => compareTexts(identifySeries(a.result), identifySeries(b.result)));
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Gives each of the last results of a series, the newest first, the change since the one before. */
function pairWithFormer(results: readonly Result[], last: number): HistoryRow[] {
  const counts = new Map<string, number>();
  return results.flatMap((result, i) => {
    const series = identifySeries(result);
    const count = (counts.get(series) ?? 0) + 1;
    counts.set(series, count);
    if (count > last) return [];
    const former = results.slice(i + 1).find((each) => identifySeries(each) === series);
    return [{ result, change: former === undefined ? undefined : compareFigure(result, former) }];
  });
}

import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { detectSeriesChanges, type SeriesChange } from "@fleetmark/shared/stats/changes/series-changes";
import type { Command } from "commander";
import { readLastOfEach } from "../client/last-results.js";
import { addFormatFlags, type FormatOptions, printTable } from "../output/formats.js";
import { tell } from "../output/message.js";
import { parseSeries, type Series } from "../series/parse-series.js";
import { buildChangeTable, type ChangeRow } from "../tables/changes.js";
import { addSourceFlags, withSource } from "./read/source-flags.js";

interface DetectOptions extends FormatOptions {
  readonly column?: string;
  readonly benchmark?: string;
  readonly host?: string;
}

export function defineDetect(command: Command): void {
  addSourceFlags(command)
    .argument("[file]", "a JSON array or CSV; default: standard input")
    .option("--column <name>", "of a CSV file with a header; default: its last")
    .option("--benchmark <name>", "the medians of this benchmark that are stored, by its full name, in place of a file")
    .option("--host <name>", "of this host, where several have it");
  addFormatFlags(command)
    .addHelpText(
      "after",
      `
A JSON array holds numbers, pairs of time and value, or objects with \`value\`
and maybe \`time\`; null is a missing value. A line of CSV is a value, or a time
and values. Spikes are no changes; a series that trends is explained by lines.
Of a stored benchmark the newest 1000 results are taken.

Examples:
  fleetmark detect series.json
  fleetmark detect latencies.csv --column p99 --format json
  fleetmark detect --benchmark 'policy_forward{batch=1} tfjs-wasm/cpu' --host gpu-7
  fleetmark results --format json | jq '[.[].median]' | fleetmark detect`,
    )
    .action(async (file: string | undefined, options: DetectOptions) => {
      const series =
        options.benchmark === undefined
          ? parseSeries(await readText(file), file ?? "standard input", options.column)
          : await readStored(command, file, options.benchmark, options.host);
      const rows = detectSeriesChanges(series.values).map((change) => describe(series, change));
      if (rows.length === 0 && options.format === "table") tell(`no change in ${series.values.length} values`);
      else printTable(buildChangeTable(rows), rows, options.format);
    });
}

/** The most results of a benchmark that are looked at. */
const mostResults = 1000;

/** Reads the medians of a benchmark in order of time. @throws FleetmarkError USAGE, BENCHMARK_UNKNOWN */
async function readStored(command: Command, file: string | undefined, name: string, host: string | undefined): Promise<Series> {
  if (file !== undefined) throw new FleetmarkError("USAGE", "give a file, or --benchmark, not both");
  const found = await withSource(command, (source) =>
    readLastOfEach(source, { host }, mostResults, (result) => result.name === name),
  );
  const hosts = [...new Set(found.map((result) => result.host))];
  if (found.length === 0)
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `nothing named ${name} was measured${host === undefined ? "" : ` on ${host}`}`);
  if (hosts.length > 1) throw new FleetmarkError("USAGE", `${hosts.slice(0, 5).join(", ")} have it: choose one with --host`);
  const ordered = [...found].reverse();
  return {
    values: ordered.map(({ median }) => median),
    places: ordered.map((_, i) => i),
    times: ordered.map(({ time_us }) => new Date(time_us / 1000).toISOString()),
  };
}

async function readText(file: string | undefined): Promise<string> {
  if (file === undefined || file === "-") return text(process.stdin);
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new FleetmarkError("USAGE", `${file}: ${errorMessage(cause)}`, { cause });
  }
}

function describe({ places, times }: Series, { index, before, after, confidence, kind }: SeriesChange): ChangeRow {
  const time = times?.[index];
  return {
    index: places[index] ?? index,
    ...(time === undefined ? {} : { time }),
    before,
    after,
    change_percent: before === 0 ? null : (100 * (after - before)) / Math.abs(before),
    confidence,
    kind,
  };
}

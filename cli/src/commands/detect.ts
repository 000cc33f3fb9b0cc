import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { detectSeriesChanges, type SeriesChange } from "@fleetmark/shared/stats/changes/series-changes";
import type { Command } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../output/formats.js";
import { tell } from "../output/message.js";
import { parseSeries, type Series } from "../series/parse-series.js";
import { buildChangeTable, type ChangeRow } from "../tables/changes.js";

interface DetectOptions extends FormatOptions {
  readonly column?: string;
}

export function defineDetect(command: Command): void {
  command
    .argument("[file]", "a JSON array or CSV; default: standard input")
    .option("--column <name>", "of a CSV file with a header; default: its last");
  addFormatFlags(command)
    .addHelpText(
      "after",
      `
A JSON array holds numbers, pairs of time and value, or objects with \`value\`
and maybe \`time\`; null is a missing value. A line of CSV is a value, or a time
and values. Spikes are no changes; a series that trends is explained by lines.

Examples:
  fleetmark detect series.json
  fleetmark detect latencies.csv --column p99 --format json
  fleetmark results --format json | jq '[.[].median]' | fleetmark detect`,
    )
    .action(async (file: string | undefined, options: DetectOptions) => {
      const series = parseSeries(await readText(file), file ?? "standard input", options.column);
      const rows = detectSeriesChanges(series.values).map((change) => describe(series, change));
      if (rows.length === 0 && options.format === "table") tell(`no change in ${series.values.length} values`);
      else printTable(buildChangeTable(rows), rows, options.format);
    });
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

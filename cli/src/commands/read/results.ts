import { formatOrigins } from "@fleetmark/bench";
import { categories, type Result } from "@fleetmark/shared/model/result";
import { type Command, Option } from "commander";
import { readLastOfEach } from "../../client/last-results.js";
import type { ResultFilter, Source } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildResultsTable } from "../../tables/results.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, readCount, withSource } from "./source-flags.js";

interface ResultsOptions extends FormatOptions, ResultFilter {
  readonly run?: string;
  readonly last?: number;
}

export function defineResults(command: Command): void {
  addSourceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--suite <name>", "of this suite only")
    .addOption(new Option("--category <name>", "of this category only").choices(categories))
    .option("--benchmark <name>", "of this workload only, such as policy_forward")
    .option("--run <id>", "of this run, instead of the latest of each benchmark")
    .addOption(
      new Option("--last <n>", "the last n of each benchmark, instead of the latest").argParser(readCount).conflicts("run"),
    );
  addReadingHelp(addFormatFlags(command), [
    "results",
    "results --data /tmp/trial --category rl",
    "results --host gpu-7 --last 3",
    "results --format csv > results.csv",
    "results --json | jq '.[] | {name, median, unit}'",
  ]);
  command.action(async (options: ResultsOptions) => {
    const results = await withSource(command, (source) => readResults(source, options));
    if (results.length === 0 && options.format === "table") tellNothingFound("results", options);
    else {
      printTable(buildResultsTable(results, Date.now() * 1000), results, options.format);
      if (options.format === "table") process.stdout.write(formatOrigins(results));
    }
  });
}

function readResults(source: Source, options: ResultsOptions): Promise<readonly Result[]> {
  const { host, suite, category, benchmark, run, last } = options;
  const filter = { host, suite, category, benchmark };
  return last === undefined ? source.readResults({ ...filter, run }) : readLastOfEach(source, filter, last);
}

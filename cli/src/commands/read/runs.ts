import type { Command } from "commander";
import type { ResultFilter } from "../../client/source.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildRunsTable } from "../../tables/runs.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, readCount, withSource } from "./source-flags.js";

interface RunsOptions extends FormatOptions, Pick<ResultFilter, "host" | "suite"> {
  readonly last: number;
}

export function defineRuns(command: Command): void {
  addSourceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--suite <name>", "of this suite only")
    .option("--last <n>", "the newest n", readCount, 20);
  addReadingHelp(addFormatFlags(command), [
    "runs",
    "runs --host gpu-7 --last 5",
    "runs --json | jq '.[] | select(.failures != [])'",
  ]);
  command.action(async (options: RunsOptions) => {
    const { host, suite, last } = options;
    const runs = await withSource(command, (source) => source.readRuns({ host, suite }, { limit: last }));
    if (runs.length === 0 && options.format === "table") tellNothingFound("runs", options);
    else printTable(buildRunsTable(runs), runs, options.format);
  });
}

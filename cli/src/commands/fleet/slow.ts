import { fewestPeers, findSlowHosts, groupByHost } from "@fleetmark/shared/judgement/peers/slow-hosts";
import type { Result } from "@fleetmark/shared/model/result";
import type { Command } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { buildStandingTable, type StandingRow } from "../../tables/standings.js";
import { addReadingHelp, addSourceFlags, withSource } from "../read/source-flags.js";

interface SlowOptions extends FormatOptions {
  readonly class?: string;
  readonly all?: boolean;
}

export function defineFleetSlow(slow: Command): void {
  addSourceFlags(slow)
    .option("--class <name>", "hosts of this hardware class only")
    .option("--all", "also the hosts that are as fast as their peers")
    .addHelpText(
      "after",
      `
Each host is compared with the others of its hardware class, benchmark by
benchmark, by the latest results. Of the hosts that are called slow, one of twenty
is not, by expectation. Exit code 1 if there is one.`,
    );
  addReadingHelp(addFormatFlags(slow), ["fleet slow", "fleet slow --class nvidia-h100-8x_96c_1024g --all --format csv"]);
  slow.action(async (options: SlowOptions) => {
    const results = await withSource(slow, (source) => source.readResults({}));
    const rows = standAll(results.filter(({ hw_class }) => options.class === undefined || hw_class === options.class));
    const shown = rows.filter(({ isSlow }) => options.all === true || isSlow);
    if (rows.some(({ isSlow }) => isSlow)) process.exitCode = 1;
    if (shown.length === 0 && options.format === "table") tell(describeQuiet(rows));
    else printTable(buildStandingTable(shown), shown, options.format);
  });
}

/** Compares the hosts of each class. */
function standAll(results: readonly Result[]): StandingRow[] {
  const classes = [...new Set(results.map(({ hw_class }) => hw_class))].sort();
  return classes.flatMap((hw_class) =>
    findSlowHosts(groupByHost(results.filter((result) => result.hw_class === hw_class))).map((row) => ({ ...row, hw_class })),
  );
}

function describeQuiet(rows: readonly StandingRow[]): string {
  const compared = rows.filter(({ peers }) => peers >= fewestPeers).length;
  const alone = rows.length - compared;
  const rest = alone === 0 ? "" : `; ${alone} have fewer than ${fewestPeers} peers, and can't be compared`;
  return compared === 0
    ? `no host can be compared: a class takes ${fewestPeers + 1} hosts that measured the same`
    : `no host is slow among ${compared}${rest}`;
}

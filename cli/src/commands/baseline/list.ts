import type { Command } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildBaselineTable } from "../../tables/baselines.js";
import { tellNothingFound } from "../read/nothing-found.js";
import { addReadingHelp, addSourceFlags, withSource } from "../read/source-flags.js";

interface ListOptions extends FormatOptions {
  readonly host?: string;
}

export function defineBaselineList(list: Command): void {
  addSourceFlags(list).option("--host <name>", "of this host only");
  addReadingHelp(addFormatFlags(list), ["baseline list", "baseline list --host gpu-7 --json"]);
  list.action(async ({ host, format }: ListOptions) => {
    const found = await withSource(list, (source) => source.readBaselines(host));
    if (found.length === 0 && format === "table") tellNothingFound("decisions", { host });
    else printTable(buildBaselineTable(found), found, format);
  });
}

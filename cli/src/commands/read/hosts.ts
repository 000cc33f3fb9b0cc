import type { Command } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { buildHostsTable } from "../../tables/hosts.js";
import { tellNothingFound } from "./nothing-found.js";
import { addReadingHelp, addSourceFlags, withSource } from "./source-flags.js";

export function defineHosts(command: Command): void {
  addReadingHelp(addFormatFlags(addSourceFlags(command)), [
    "hosts",
    "hosts --collector 127.0.0.1:7421 --format md",
    "hosts --json | jq '.[] | select(.attached | not) | .host'",
  ]);
  command.action(async (options: FormatOptions) => {
    const { hosts, isRunning } = await withSource(command, async (source) => ({
      hosts: await source.readHosts(),
      isRunning: source.isRunning,
    }));
    if (hosts.length === 0 && options.format === "table") tellNothingFound("hosts", {});
    else printTable(buildHostsTable(hosts, { nowUs: Date.now() * 1000, isRunning }), hosts, options.format);
  });
}

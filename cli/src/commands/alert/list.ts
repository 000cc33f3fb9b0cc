import { alertsAnswer } from "@fleetmark/shared/api/answers";
import type { Command } from "commander";
import type { z } from "zod";
import { askCollector } from "../../client/collector-api.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { readWidth } from "../../output/terminal.js";
import { escapeControls, wrapText } from "../../output/width.js";
import { addPlaceFlags, findPlace } from "../fleet/place.js";
import { buildAlertTable } from "./alert-tables.js";

type Alert = z.infer<typeof alertsAnswer>[number];

interface ListOptions extends FormatOptions {
  readonly host?: string;
  readonly all?: boolean;
}

/** What each of few alerts says, in whole sentences, where a table has no place for them. */
const mostDescribed = 5;

export function defineAlertList(command: Command): void {
  addPlaceFlags(command)
    .option("--host <name>", "of this host only")
    .option("--all", "also those that wait to fire, and those that were resolved within a day");
  addFormatFlags(command).addHelpText(
    "after",
    `
Exit code 1 if something fires of which people are told.

Examples:
  fleetmark alert list
  fleetmark alert list --all --host gpu-7 --json`,
  );
  command.action(async ({ host, all, format }: ListOptions) => {
    const found = await askCollector(await findPlace(command), "alerts", alertsAnswer, { host });
    const shown = found.filter(({ state }) => all === true || state === "firing");
    if (shown.length === 0 && format === "table") tell(describeQuiet(found));
    else printTable(buildAlertTable(shown), shown, format);
    if (format === "table") printDescriptions(shown);
    if (found.some(({ state, muted }) => state === "firing" && muted === "")) process.exitCode = 1;
  });
}

function describeQuiet(found: readonly Alert[]): string {
  const count = (wanted: Alert["state"]): number => found.filter(({ state }) => state === wanted).length;
  const rest = `${count("pending")} wait to fire, ${count("resolved")} were resolved within a day`;
  return `nothing fires; ${rest}${found.length === 0 ? "" : " (--all lists them)"}`;
}

function printDescriptions(shown: readonly Alert[]): void {
  const told = shown.filter(({ state, muted }) => state === "firing" && muted === "").slice(0, mostDescribed);
  const sentences = told.map(({ description }) => escapeControls(description));
  if (sentences.length > 0) process.stdout.write(`\n${wrapText(sentences.join("\n\n"), readWidth(process.stdout))}\n`);
}

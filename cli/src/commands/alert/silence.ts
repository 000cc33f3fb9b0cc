import { silenceAnswer, silencesAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Command, Option } from "commander";
import { askForChange } from "../../client/asking.js";
import { askCollector } from "../../client/collector-api.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { printJson, tell } from "../../output/message.js";
import { formatMoment } from "../../tables/times.js";
import { addPlaceFlags, findPlace } from "../fleet/place.js";
import { readSeconds } from "../read/source-flags.js";
import { buildSilenceTable, describeMatchers } from "./alert-tables.js";

interface SilenceOptions {
  readonly for: number;
  readonly reason: string;
  readonly json?: boolean;
}

/** @throws FleetmarkError REQUEST_INVALID where one is not label=glob */
function readMatchers(texts: readonly string[]): Record<string, string> {
  const matchers: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    const label = text.slice(0, at);
    if (at < 1 || at === text.length - 1)
      throw new FleetmarkError("REQUEST_INVALID", `${text} is not label=glob, such as host=gpu-*`);
    if (label in matchers)
      throw new FleetmarkError("REQUEST_INVALID", `${label} is named twice: one glob must match what is meant`);
    matchers[label] = text.slice(at + 1);
  }
  return matchers;
}

export function defineSilence(command: Command): void {
  addPlaceFlags(command)
    .addOption(new Option("--for <duration>", "how long, at most 90d").argParser(readSeconds).makeOptionMandatory())
    .requiredOption("--reason <text>", "why; it is kept with your name")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
A matcher is label=glob; all of them must match. Labels are alert (its name), host,
hw_class, kpi, benchmark, path and reason, as \`fleetmark alert list --json\` shows.

Examples:
  fleetmark alert silence host=gpu-7 --for 2h --reason 'memory is replaced'
  fleetmark alert silence 'alert=Slower than before' 'hw_class=nvidia-h100*' --for 1d --reason 'new driver'`,
    );
  command.action(async (texts: string[], { for: for_s, reason, json }: SilenceOptions) => {
    const matchers = readMatchers(texts);
    const made = await askForChange(await findPlace(command), "silences", silenceAnswer, { matchers, for_s, reason });
    if (json) printJson(made);
    else tell(`silence ${made.id} of ${describeMatchers(made)} until ${formatMoment(made.until_us)}`);
  });
}

export function defineSilenceList(command: Command): void {
  addFormatFlags(addPlaceFlags(command)).addHelpText("after", "\nExamples:\n  fleetmark alert silences --json");
  command.action(async ({ format }: FormatOptions) => {
    const found = await askCollector(await findPlace(command), "silences", silencesAnswer, {});
    if (found.length === 0 && format === "table") tell("nothing is silenced");
    else printTable(buildSilenceTable(found), found, format);
  });
}

export function defineUnsilence(command: Command): void {
  addPlaceFlags(command)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  fleetmark alert unsilence 1a2b3c4d");
  command.action(async (id: string, { json }: { json?: boolean }) => {
    const ended = await askForChange(await findPlace(command), "silences/end", silenceAnswer, { id });
    if (json) printJson(ended);
    else tell(`silence ${ended.id} of ${describeMatchers(ended)} has ended`);
  });
}

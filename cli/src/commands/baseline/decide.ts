import { baselinesAnswer } from "@fleetmark/shared/api/answers";
import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import type { Command } from "commander";
import { askForChange } from "../../client/asking.js";
import { printText } from "../../output/formats.js";
import { printJson, tell } from "../../output/message.js";
import { buildBaselineTable } from "../../tables/baselines.js";
import { addPlaceFlags, findPlace } from "../fleet/place.js";

interface DecideOptions {
  readonly benchmark?: string;
  readonly run?: string;
  readonly reason: string;
  readonly json?: boolean;
}

/** Gives a command that decides something the flags that all of them have. */
export function addDecideFlags(command: Command, examples: readonly string[]): Command {
  return addPlaceFlags(command)
    .requiredOption("--reason <text>", "why; it is kept with your name")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  fleetmark baseline ${example}`).join("\n")}`);
}

/** Prints what was decided. */
export function printDecided(decided: readonly BaselineRecord[], json: boolean | undefined): void {
  if (json) printJson(decided);
  else if (decided.length === 0) tell("nothing changed: none of these was pinned");
  else printText(buildBaselineTable(decided), "; baseline list --format csv has all");
}

function define(command: Command, action: BaselineRecord["action"], examples: readonly string[]): void {
  command.option("--benchmark <name>", "this benchmark only, by its full name");
  addDecideFlags(command, examples);
  command.action(async (host: string, { benchmark: name, run, reason, json }: DecideOptions) => {
    const place = await findPlace(command);
    printDecided(await askForChange(place, "baselines", baselinesAnswer, { action, host, name, run, reason }), json);
  });
}

export function definePin(pin: Command): void {
  pin.option("--run <id>", "the run whose results are pinned; default: the latest result of each benchmark");
  define(pin, "pin", [
    "pin gpu-7 --reason 'as delivered'",
    "pin gpu-7 --run 20261127T050000-1a2b --benchmark 'policy_forward{batch=1} tfjs-wasm/cpu' --reason 'before the upgrade'",
  ]);
}

export function defineUnpin(unpin: Command): void {
  define(unpin, "unpin", ["unpin gpu-7 --reason 'acceptance is over'"]);
}

export function defineAccept(accept: Command): void {
  accept.addHelpText(
    "after",
    `
From then on the level counts from where it began, and what came before no more;
a pinned baseline is let go of.`,
  );
  define(accept, "accept", ["accept gpu-7 --reason 'the price of the new kernel'"]);
}

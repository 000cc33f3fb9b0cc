import { verdictMarksAnswer } from "@fleetmark/shared/api/answers";
import { marks } from "@fleetmark/shared/judgement/error-rate";
import { type Command, createArgument } from "commander";
import { askForChange } from "../client/asking.js";
import { printJson, tell } from "../output/message.js";
import { addPlaceFlags, findPlace } from "./fleet/place.js";

interface MarkOptions {
  readonly benchmark?: string;
  readonly run?: string;
  readonly reason: string;
  readonly json?: boolean;
}

export function defineMarkVerdict(command: Command): void {
  command
    .argument("<host>", "the host whose benchmarks were called slower")
    .addArgument(createArgument("<mark>", "false: nothing had become slower; true: it had").choices(marks))
    .option("--benchmark <name>", "this benchmark only, by its full name; default: all that were called slower")
    .option("--run <id>", "the run whose verdicts are meant; default: the latest of each benchmark");
  addPlaceFlags(command)
    .requiredOption("--reason <text>", "why; it is kept with your name")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
What is called false counts in \`fleetmark verdicts --error-rate\`, and halves the
rate of false alarms by which the benchmark is judged on this host from then on.

Examples:
  fleetmark mark-verdict gpu-7 false --reason 'a backup ran beside it'
  fleetmark mark-verdict gpu-7 true --run 20261127T050000-1a2b --reason 'seen in production too'`,
    );
  command.action(async (host: string, mark: string, { benchmark: name, run, reason, json }: MarkOptions) => {
    const place = await findPlace(command);
    const said = await askForChange(place, "verdict-marks", verdictMarksAnswer, { mark, host, name, run, reason });
    if (json) printJson(said);
    else for (const each of said) tell(`marked ${mark}: ${each.name} of run ${each.run} on ${host}`);
  });
}

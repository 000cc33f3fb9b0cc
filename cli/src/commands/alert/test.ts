import { testedSinksAnswer } from "@fleetmark/shared/api/answers";
import type { Command } from "commander";
import { askForChange } from "../../client/asking.js";
import { printJson, tell } from "../../output/message.js";
import { escapeControls } from "../../output/width.js";
import { addPlaceFlags, findPlace } from "../fleet/place.js";

export function defineAlertTest(command: Command): void {
  addPlaceFlags(command)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExit code 1 if one of them did not take it.\n\nExamples:\n  fleetmark alert test");
  command.action(async ({ json }: { json?: boolean }) => {
    const tested = await askForChange(await findPlace(command), "alerts/test", testedSinksAnswer, {});
    if (json) printJson(tested);
    else {
      for (const { sink, place, failure } of tested) {
        tell(failure === "" ? `${sink}: ${place} took it` : `${sink}: ${place} did not take it: ${escapeControls(failure)}`);
      }
    }
    if (tested.some(({ failure }) => failure !== "")) process.exitCode = 1;
  });
}

import { campaignAnswer } from "@fleetmark/shared/api/answers";
import type { Command } from "commander";
import { askForChange } from "../../client/asking.js";
import { printJson, tell } from "../../output/message.js";
import { describeCounts } from "../../tables/fleet.js";
import { addPlaceFlags, findPlace } from "./place.js";

export function defineFleetCancel(cancel: Command): void {
  addPlaceFlags(cancel)
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark fleet cancel c20261127T080000-1a2b3c4d`,
    );
  cancel.action(async (id: string, { json }: { json?: boolean }) => {
    const place = await findPlace(cancel);
    const campaign = await askForChange(place, "campaigns/cancel", campaignAnswer, { id });
    if (json) printJson(campaign);
    else tell(`${campaign.id} is ${campaign.state}: ${describeCounts(campaign)}`);
  });
}

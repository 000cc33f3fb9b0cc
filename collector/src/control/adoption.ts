import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { CommandRecords } from "./command-records.js";
import { adoptCommand, type Commands } from "./commands.js";

/** Seconds between two looks for what other collectors that share the store were asked. */
const lookEveryS = 20;

/** Takes up commands that were asked of a collector before this one, and of those beside it. */
export function startAdoption(commands: Commands, records: CommandRecords, isShared: boolean, logger: Logger): Running {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let hasLooked = false;
  const look = async (): Promise<void> => {
    try {
      for (const { host, command: name, id, arguments: given = {}, expires_us = 0, campaign } of await records.listUnanswered()) {
        const fields = { id, name, argumentsJson: JSON.stringify(given), expiresUs: BigInt(expires_us) };
        adoptCommand(commands, host, fields, campaign);
      }
      hasLooked = true;
    } catch (thrown) {
      logger.warn({ event: "commands_not_read", err: thrown }, "what was asked before can't be read yet");
    }
    // Where the store did not answer it is asked again, though nobody shares it.
    if (!isStopped && (isShared || !hasLooked)) timer = setTimeout(() => void look(), lookEveryS * 1000);
  };
  void look();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Campaigns } from "./campaigns.js";
import type { CommandRecords } from "./command-records.js";
import { adoptCommand, type Commands, resendUnanswered } from "./commands.js";

/** Milliseconds between two looks for what is unanswered, and after which it is sent again. */
const resend = { everyMs: 2000, afterMs: 5000 } as const;

/** Seconds between two looks for what other collectors that share the store were asked. */
const lookEveryS = 20;

export interface AdoptionOptions {
  readonly commands: Commands;
  readonly records: CommandRecords;
  /** They must hear of what comes of the commands. */
  readonly campaigns: Pick<Campaigns, "adopted">;
  /** Whether other collectors have the same store. */
  readonly isShared: boolean;
  readonly logger: Logger;
}

/** Takes up commands that were asked of a collector before this one, and of those beside it; sends again what waits. */
export function startAdoption({ commands, records, campaigns, isShared, logger }: AdoptionOptions): Running {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let hasLooked = false;
  const look = async (): Promise<void> => {
    await campaigns.adopted;
    try {
      for (const { host, command: name, id, arguments: given = {}, expires_us = 0 } of await records.listUnanswered()) {
        const fields = { id, name, argumentsJson: JSON.stringify(given), expiresUs: BigInt(expires_us) };
        adoptCommand(commands, host, fields);
      }
      hasLooked = true;
    } catch (thrown) {
      logger.warn({ event: "commands_not_read", err: thrown }, "what was asked before can't be read yet");
    }
    // Where the store did not answer it is asked again, though nobody shares it.
    if (!isStopped && (isShared || !hasLooked)) timer = setTimeout(() => void look(), lookEveryS * 1000);
  };
  void look();
  const resending = setInterval(() => resendUnanswered(commands, performance.now() - resend.afterMs), resend.everyMs);
  resending.unref();
  return {
    stop: async () => {
      isStopped = true;
      clearInterval(resending);
      clearTimeout(timer);
    },
  };
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { z } from "zod";
import type { Bench } from "../runs/bench.js";
import type { RunQueue } from "../runs/run-queue.js";
import type { CommandHandler, JsonObject } from "./command-inbox.js";

/** What commands may be asked for, by the agent's own configuration. */
export interface Allowed {
  /** Names of suites; `*` for all that the host knows. */
  readonly suites: readonly string[];
  /** Whether a run may begin though the host is not free. */
  readonly atOnce: boolean;
}

/** What commands work with. */
export interface CommandParts {
  readonly queue: RunQueue;
  readonly bench: Pick<Bench, "findSuite">;
  readonly allowed: Allowed;
  readonly takeInventory: () => void;
  /** The host's time, milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** A command that an agent knows. */
export interface CommandDefinition {
  readonly name: string;
  create(parts: CommandParts): CommandHandler;
}

/** Defines a command whose arguments are checked before it is done. */
export function defineCommand<S extends z.ZodType>(
  name: string,
  schema: S,
  create: (parts: CommandParts) => (args: z.infer<S>, id: string) => Promise<JsonObject>,
): CommandDefinition {
  return {
    name,
    create: (parts) => {
      const handle = create(parts);
      return async (args, id) => {
        const parsed = schema.safeParse(args);
        if (parsed.success) return handle(parsed.data, id);
        const [issue] = parsed.error.issues;
        throw new FleetmarkError("COMMAND_INVALID", `${name}: ${[...issue.path, issue.message].join(": ")}`);
      };
    },
  };
}

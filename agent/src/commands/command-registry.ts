import { FleetmarkError } from "@fleetmark/shared/errors";
import { cancelRunCommand } from "./cancel-run.js";
import type { CommandDefinition, CommandParts } from "./command-definition.js";
import type { CommandHandler } from "./command-inbox.js";
import { setLogLevelCommand } from "./set-log-level.js";
import { startRunCommand } from "./start-run.js";
import { tellInventoryCommand } from "./tell-inventory.js";

/** Every command that this agent knows. To add one, add its file and a line here. */
const definitions = {
  start_run: startRunCommand,
  cancel_run: cancelRunCommand,
  tell_inventory: tellInventoryCommand,
  set_log_level: setLogLevelCommand,
} as const satisfies Readonly<Record<string, CommandDefinition>>;

export type CommandName = keyof typeof definitions;

export const commandNames = Object.keys(definitions) as [CommandName, ...CommandName[]];

function forbid(name: string): CommandHandler {
  return () => Promise.reject(new FleetmarkError("COMMAND_FORBIDDEN", `${name} may not be asked of this host`));
}

/** Makes the handlers of all commands; those that the configuration does not allow are refused by name. */
export function createCommandHandlers(parts: CommandParts, allowed: readonly string[]): ReadonlyMap<string, CommandHandler> {
  return new Map(
    commandNames.map((name) => [name, allowed.includes(name) ? definitions[name].create(parts) : forbid(name)] as const),
  );
}

import { checkEnvironment, listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { type Command, Option } from "commander";
import type { z } from "zod";
import { configSchemas } from "./config-schemas.js";

/** Gives a command one flag for each key of a configuration. */
export function addConfigFlags(command: Command, schema: z.ZodObject): void {
  for (const key of listConfigKeys(schema)) {
    const shown = key.default === undefined ? "" : ` (default: ${key.default})`;
    command.addOption(new Option(`${key.flag} <value>`, `${key.description}${shown}`).env(key.variable).hideHelp(false));
  }
}

/**
 * Loads a process's configuration from `--config FILE`, the environment and the command's flags.
 * @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID, ENVIRONMENT_INVALID
 */
export function readConfig<S extends z.ZodObject>(command: Command, schema: S, extra: Record<string, string> = {}): z.infer<S> {
  checkEnvironment(process.env, Object.values(configSchemas));
  const flags: Record<string, string> = { ...extra };
  for (const key of listConfigKeys(schema)) {
    const attribute = command.options.find((option) => option.long === key.flag)?.attributeName();
    if (attribute !== undefined && command.getOptionValueSource(attribute) === "cli")
      flags[key.path] = String(command.getOptionValue(attribute));
  }
  return loadConfig(schema, { file: command.opts().config, environment: process.env, flags });
}

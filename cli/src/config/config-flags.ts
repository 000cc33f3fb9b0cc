import { type ConfigKey, checkEnvironment, listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { type Command, Option } from "commander";
import type { z } from "zod";
import { configSchemas } from "./config-schemas.js";

/** Lists are shown as they are given. */
function showDefault({ type, default: preset }: ConfigKey): string {
  if (preset === undefined || preset === "[]") return "";
  return ` (default: ${type === "array" ? JSON.parse(preset).join(", ") : preset})`;
}

function makeOption(key: ConfigKey): Option {
  const { flag, description, variable } = key;
  const shown = showDefault(key);
  return new Option(`${flag} <value>`, `${description}${shown}`).env(variable).helpGroup("Configuration:");
}

/** Gives a command one flag for each key of a configuration, but for those that it has already or leaves out. */
export function addConfigFlags(command: Command, schema: z.ZodObject, leftOut: readonly string[] = []): void {
  for (const key of listConfigKeys(schema)) {
    const isThere = command.options.some(({ long }) => long === key.flag);
    if (!isThere && !leftOut.includes(key.path)) command.addOption(makeOption(key));
  }
}

/** Reads the values of a configuration that were given as flags, by path, as they were written. */
export function readFlags(command: Command, schema: z.ZodObject): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const { path, flag } of listConfigKeys(schema)) {
    const attribute = command.options.find(({ long }) => long === flag)?.attributeName();
    if (attribute !== undefined && command.getOptionValueSource(attribute) === "cli")
      flags[path] = String(command.getOptionValue(attribute));
  }
  return flags;
}

/** Writes values of a configuration as the flags of the process that reads it. */
export function writeFlags(schema: z.ZodObject, values: Readonly<Record<string, string>>): string[] {
  return listConfigKeys(schema).flatMap(({ path, flag }) => {
    const value = values[path];
    return value === undefined ? [] : [`${flag}=${value}`];
  });
}

/**
 * Loads a process's configuration from `--config FILE`, the environment and the command's flags.
 * @param extra values by path that the flags outweigh
 * @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID, ENVIRONMENT_INVALID
 */
export function readConfig<S extends z.ZodObject>(command: Command, schema: S, extra: Record<string, string> = {}): z.infer<S> {
  checkEnvironment(process.env, Object.values(configSchemas));
  const flags = { ...extra, ...readFlags(command, schema) };
  return loadConfig(schema, { file: command.opts().config, environment: process.env, flags });
}

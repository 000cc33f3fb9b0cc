import type { Command } from "commander";
import { readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";

/** Gives a command the flags that say which collector's data directory is meant. */
export function addDataDirFlags(command: Command): Command {
  return command
    .option("--data <dir>", "the collector's data directory (default: that of its configuration)")
    .option("-c, --config <file>", "YAML configuration of the collector");
}

/** @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID, ENVIRONMENT_INVALID */
export function findDataDir(command: Command, { data }: { readonly data?: string }): string {
  return data ?? readConfig(command, configSchemas.collector).data_dir;
}

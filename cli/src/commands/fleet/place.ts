import type { Command } from "commander";
import type { Endpoint } from "../../client/endpoint.js";
import { addCollectorFlags, type CollectorOptions, findNamedEndpoint, findOwnEndpoint } from "../../config/collector-flags.js";
import { readConfig } from "../../config/config-flags.js";
import { configSchemas } from "../../config/config-schemas.js";

interface PlaceOptions extends CollectorOptions {
  readonly data?: string;
}

/** Gives a command the flags that say which collector is asked. */
export function addPlaceFlags(command: Command): Command {
  return addCollectorFlags(command, "HTTP address of the collector")
    .option("--data <dir>", "the collector's data directory, whose owner needs no token")
    .option("-c, --config <file>", "YAML configuration of the collector");
}

/**
 * Finds the collector that the flags and the configuration name, and the token to show it.
 * @throws FleetmarkError TOKEN_INVALID, CONFIG_UNREADABLE, CONFIG_INVALID, ENVIRONMENT_INVALID, TLS_NEEDED,
 *   TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED
 */
export async function findPlace(command: Command): Promise<Endpoint> {
  const { data, ...options } = command.opts<PlaceOptions>();
  const config = readConfig(command, configSchemas.collector, data === undefined ? {} : { data_dir: data });
  return (await findNamedEndpoint(options, config.data_dir)) ?? findOwnEndpoint(config, options);
}

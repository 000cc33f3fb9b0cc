import { readFile } from "node:fs/promises";
import { readOwnerToken } from "@fleetmark/collector/access";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Address } from "@fleetmark/shared/model/units";
import { type Command, Option } from "commander";
import { readConfig } from "../../config/config-flags.js";
import { configSchemas } from "../../config/config-schemas.js";
import { readAddress } from "../read/source-flags.js";

/** Where the fleet is asked, and by what right. */
export interface Place {
  readonly address: Address;
  /** Undefined where there is none: then nothing can be changed. */
  readonly token: string | undefined;
}

interface PlaceOptions {
  readonly collector?: Address;
  readonly data?: string;
  readonly config?: string;
  readonly tokenFile?: string;
}

/** Gives a command the flags that say which collector is asked. */
export function addPlaceFlags(command: Command): Command {
  return command
    .addOption(new Option("--collector <address>", "HTTP address of the collector").argParser(readAddress))
    .option("--data <dir>", "the collector's data directory, whose owner needs no token")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .addOption(new Option("--token-file <file>", "file that holds a token (see `fleetmark token`)").env("FLEETMARK_TOKEN_FILE"));
}

async function readTokenFile(path: string): Promise<string> {
  try {
    const token = (await readFile(path, "utf8")).trim();
    if (/^[\w.~+/=-]{1,500}$/.test(token)) return token;
  } catch (cause) {
    throw new FleetmarkError("TOKEN_INVALID", errorMessage(cause), { cause });
  }
  throw new FleetmarkError("TOKEN_INVALID", `${path} holds no token`);
}

/**
 * Finds the collector that the flags and the configuration name, and the token to show it.
 * @throws FleetmarkError TOKEN_INVALID, CONFIG_UNREADABLE, CONFIG_INVALID, ENVIRONMENT_INVALID
 */
export async function findPlace(command: Command): Promise<Place> {
  const { collector, data, tokenFile } = command.opts<PlaceOptions>();
  const config = readConfig(command, configSchemas.collector, data === undefined ? {} : { data_dir: data });
  const token = tokenFile === undefined ? await readOwnerToken(config.data_dir) : await readTokenFile(tokenFile);
  return { address: collector ?? config.http.listen, token };
}

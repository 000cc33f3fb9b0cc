import { readFile } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { StoreConfig } from "../config.js";
import { openStore, openStoreReadOnly } from "./duckdb/duckdb.js";
import { openInfluxStore, type RefuseLine } from "./influx/influx.js";
import type { InfluxTarget } from "./influx/server.js";
import type { Store, StoreReader } from "./store.js";

async function readToken(path: string | undefined, name: string): Promise<string> {
  if (path === undefined) return "";
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new FleetmarkError("CONFIG_UNREADABLE", `${name}: ${errorMessage(cause)}`, { cause });
  }
}

/**
 * Returns the server that the configuration names.
 * @param tokenFile holds other credentials than the collector's own
 * @throws FleetmarkError CONFIG_UNREADABLE
 */
export async function readInfluxTarget(config: StoreConfig, tokenFile?: string): Promise<InfluxTarget> {
  const { url, database, org, timeout } = config;
  const token =
    tokenFile === undefined
      ? await readToken(config.token_file, "store.token_file")
      : await readToken(tokenFile, "--admin-token-file");
  return { url: url as string, database, org, token, timeoutMs: timeout * 1e3 };
}

/**
 * Opens the store that the configuration names.
 * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
 */
export async function openConfiguredStore(config: StoreConfig, dataDir: string, refuseLine: RefuseLine): Promise<Store> {
  const { retention } = config;
  if (config.kind === "duckdb") return openStore(dataDir, retention);
  return openInfluxStore(await readInfluxTarget(config), refuseLine, { retention });
}

/**
 * Opens the store that the configuration names, to be read alone.
 * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
 */
export async function openConfiguredReader(config: StoreConfig, dataDir: string): Promise<StoreReader> {
  return config.kind === "duckdb" ? openStoreReadOnly(dataDir) : openConfiguredStore(config, dataDir, async () => {});
}

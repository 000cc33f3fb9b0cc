import { readFile } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { StoreConfig } from "../config.js";
import { openStore } from "./duckdb.js";
import { openInfluxStore, type RefuseLine } from "./influx/influx.js";
import type { Store } from "./store.js";

async function readToken(path: string | undefined): Promise<string> {
  if (path === undefined) return "";
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new FleetmarkError("CONFIG_UNREADABLE", `store.token_file: ${errorMessage(cause)}`, { cause });
  }
}

/**
 * Opens the store that the configuration names.
 * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
 */
export async function openConfiguredStore(config: StoreConfig, dataDir: string, refuseLine: RefuseLine): Promise<Store> {
  if (config.kind === "duckdb") return openStore(dataDir);
  const { url, database, org, timeout } = config;
  const target = { url: url as string, database, org, token: await readToken(config.token_file), timeoutMs: timeout * 1e3 };
  return openInfluxStore(target, refuseLine);
}

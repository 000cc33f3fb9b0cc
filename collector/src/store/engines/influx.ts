import { readFile } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { readClockUs } from "../../platform/clock.js";
import { openInfluxStore } from "../influx/influx.js";
import { readServerVersion } from "../influx/server/api.js";
import { connectInflux } from "../influx/server/connection.js";
import { checkDatabase, checkFieldTypes } from "../influx/server/questions.js";
import type { InfluxTarget } from "../influx/server/target.js";
import { planInfluxSetup } from "../influx/setup/setup.js";
import type { Retention } from "../retention.js";
import type { StoreEngine, TestPoint } from "./engine.js";

/** A store on an InfluxDB server. */
export interface InfluxConfig {
  readonly kind: "influxdb";
  readonly url: string;
  readonly database: string;
  readonly org: string;
  readonly token_file?: string | undefined;
  /** Seconds after which a request has failed. */
  readonly timeout: number;
  readonly retention: Retention;
}

async function readToken(path: string | undefined, name: string): Promise<string> {
  if (path === undefined) return "";
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new FleetmarkError("CONFIG_UNREADABLE", `${name}: ${errorMessage(cause)}`, { cause });
  }
}

/** @throws FleetmarkError CONFIG_UNREADABLE */
async function readTarget(config: InfluxConfig, adminTokenFile?: string): Promise<InfluxTarget> {
  const { url, database, org, timeout } = config;
  const token =
    adminTokenFile === undefined
      ? await readToken(config.token_file, "store.token_file")
      : await readToken(adminTokenFile, "--admin-token-file");
  return { url, database, org, token, timeoutMs: timeout * 1e3 };
}

async function isSetUp(config: InfluxConfig, { measurement, host, timeUs }: TestPoint): Promise<boolean> {
  const server = connectInflux(await readTarget(config));
  try {
    if (!((await server.hasPolicy("records")) && (await server.hasPolicy("hourly")))) return false;
    const written = await server.write([`${measurement},host=${host} value=${timeUs} ${timeUs}`], "records");
    if (written.kind !== "committed") throw new FleetmarkError("STORE_REFUSED", `a point for the records was ${written.kind}`);
    return true;
  } finally {
    await server.close();
  }
}

export const influxEngine: StoreEngine<InfluxConfig> = {
  identify: async (config) => {
    const { url, org, database } = config;
    const version = await readServerVersion(await readTarget(config));
    return `InfluxDB ${version ?? "of unknown version"} at ${url}, ${org === "" ? "database" : "bucket"} ${database}`;
  },
  listQuestions: (config) => [
    { step: "database", ask: async () => checkDatabase(await readTarget(config)) },
    { step: "types", ask: async () => checkFieldTypes(await readTarget(config)) },
  ],
  open: async (config, _, refuseLine) => openInfluxStore(await readTarget(config), refuseLine, { retention: config.retention }),
  openForReading: async (config) => openInfluxStore(await readTarget(config), async () => {}, { retention: config.retention }),
  isSetUp,
  planSetup: async (config, _, adminTokenFile) =>
    planInfluxSetup({
      target: await readTarget(config, adminTokenFile),
      retention: config.retention,
      nowUs: readClockUs(),
    }),
};

import { readFileSync } from "node:fs";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { readClockUs } from "../../platform/clock.js";
import { openInfluxStore } from "../influx/influx.js";
import { provePlaces } from "../influx/proof.js";
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

function readToken(path: string | undefined, name: string): string {
  if (path === undefined) return "";
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new FleetmarkError("CONFIG_UNREADABLE", `${name}: ${errorMessage(cause)}`, { cause });
  }
}

/** Returns a way to read a token that may be rotated; one that is half written or gone is the former one still. */
function createTokenReader(path: string | undefined, first: string): () => string {
  let token = first;
  return () => {
    try {
      token = readToken(path, "store.token_file") || token;
    } catch {
      // The server says whether the former one is good still.
    }
    return token;
  };
}

/** @throws FleetmarkError CONFIG_UNREADABLE */
async function readTarget(config: InfluxConfig, adminTokenFile?: string): Promise<InfluxTarget> {
  const { url, database, org, timeout, token_file } = config;
  const where = { url, database, org, timeoutMs: timeout * 1e3 };
  if (adminTokenFile !== undefined) return { ...where, token: readToken(adminTokenFile, "--admin-token-file") };
  const token = readToken(token_file, "store.token_file");
  return { ...where, token, renewToken: createTokenReader(token_file, token) };
}

async function isSetUp(config: InfluxConfig, { timeUs }: TestPoint): Promise<boolean> {
  const target = await readTarget(config);
  const server = connectInflux(target);
  try {
    return await provePlaces(server, target, timeUs);
  } finally {
    await server.close();
  }
}

export const influxEngine: StoreEngine<InfluxConfig> = {
  readAll: () => undefined,
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

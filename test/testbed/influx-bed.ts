import type { InfluxTarget } from "#collector/store/influx/server/target.js";
import { type Describe, describeUnless } from "./needs.js";
import { askInflux, dropExpiredShards, findServer, startInflux } from "./servers.js";

/**
 * An InfluxDB to try a store on: Debian's, of 1.x, or a person's own of any generation, which `make influx-check` names
 * by INFLUX_URL, INFLUX_TOKEN and INFLUX_ORG. What is made there has names of its own, and is taken away.
 */
export interface InfluxBed {
  readonly url: string;
  readonly generation: "1" | "2" | "3";
  /** Makes an empty database that keeps everything. */
  makeDatabase(): Promise<InfluxTarget>;
  /** Names one that is not there yet; what is made of it goes with the others. */
  nameDatabase(): InfluxTarget;
  /** Drops what the default place keeps no longer, as the server's own sweep does when it comes round. */
  dropExpired(target: InfluxTarget, horizonUs: number): Promise<void>;
  remove(): Promise<void>;
}

const { INFLUX_URL: ownUrl, INFLUX_TOKEN: ownToken = "", INFLUX_ORG: ownOrg = "" } = process.env;

/** Groups tests that need an InfluxDB. */
export const describeInflux: Describe = describeUnless(
  ownUrl !== undefined || findServer("influxd") !== undefined ? undefined : "influxd not found; `make servers` unpacks it",
);

let count = 0;
function nameNext(): string {
  return `fleetmark_check_${process.pid}_${Date.now().toString(36)}_${++count}`;
}

async function startDebianBed(): Promise<InfluxBed> {
  const server = await startInflux();
  const nameDatabase = (): InfluxTarget => {
    return { url: server.url, database: nameNext(), org: "", token: "", timeoutMs: 10_000 };
  };
  return {
    url: server.url,
    generation: "1",
    nameDatabase,
    makeDatabase: async () => {
      const target = nameDatabase();
      await askInflux(server.url, `CREATE DATABASE ${target.database}`);
      return target;
    },
    dropExpired: async ({ database }) => void (await dropExpiredShards(server.url, database)),
    remove: server.remove,
  };
}

/** Asks a server's API and returns what it answers as JSON; fails on any status that is not of success. */
async function ask(url: string, path: string, method = "GET", body?: unknown): Promise<unknown> {
  const scheme = path.startsWith("/api/v3") ? "Bearer" : "Token";
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: ownToken === "" ? {} : { authorization: `${scheme} ${ownToken}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 300)}`);
  return text.trim().startsWith("{") || text.trim().startsWith("[") ? JSON.parse(text) : undefined;
}

async function readGeneration(url: string): Promise<InfluxBed["generation"]> {
  const answer = await fetch(`${url}/ping`, { headers: { authorization: `Token ${ownToken}` } });
  const version = answer.headers.get("x-influxdb-version") ?? (await answer.text());
  const first = /\d/.exec(version)?.[0];
  if (first !== "1" && first !== "2" && first !== "3") throw new Error(`${url} is no InfluxDB that is known: ${version}`);
  return first;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

async function openBedV2(url: string): Promise<InfluxBed> {
  const { orgs } = (await ask(url, `/api/v2/orgs${ownOrg === "" ? "" : `?org=${encodeURIComponent(ownOrg)}`}`)) as {
    orgs: Named[];
  };
  const [{ id: orgID, name: org }] = orgs;
  const made: string[] = [];
  const nameDatabase = (): InfluxTarget => {
    const database = nameNext();
    made.push(database);
    return { url, database, org, token: ownToken, timeoutMs: 60_000 };
  };
  return {
    url,
    generation: "2",
    nameDatabase,
    makeDatabase: async () => {
      const target = nameDatabase();
      await ask(url, "/api/v2/buckets", "POST", { orgID, name: target.database, retentionRules: [] });
      return target;
    },
    dropExpired: async ({ database }, horizonUs) => {
      const range = { start: "1970-01-01T00:00:00Z", stop: new Date(horizonUs / 1000).toISOString() };
      await ask(url, `/api/v2/delete?orgID=${orgID}&bucket=${database}`, "POST", range);
    },
    remove: async () => {
      for (const database of made) {
        const { content } = (await ask(url, `/api/v2/dbrps?orgID=${orgID}&db=${database}`)) as {
          content: (Named & { virtual: boolean })[];
        };
        for (const { id, virtual } of content) if (!virtual) await ask(url, `/api/v2/dbrps/${id}?orgID=${orgID}`, "DELETE");
        for (const name of [database, `${database}_records`, `${database}_hourly`]) {
          const found = await ask(url, `/api/v2/buckets?orgID=${orgID}&name=${name}`).catch(() => ({ buckets: [] }));
          for (const { id } of (found as { buckets: Named[] }).buckets) await ask(url, `/api/v2/buckets/${id}`, "DELETE");
        }
      }
    },
  };
}

/** A server of one's own of 1.x or 3.x, whose databases are made by InfluxQL or by the API. */
async function openOtherBed(url: string, generation: "1" | "3"): Promise<InfluxBed> {
  const made: string[] = [];
  const askQuery = (influxql: string): Promise<unknown> => askInflux(url, influxql, ownToken);
  const nameDatabase = (): InfluxTarget => {
    const database = nameNext();
    made.push(database);
    return { url, database, org: "", token: ownToken, timeoutMs: 60_000 };
  };
  return {
    url,
    generation,
    nameDatabase,
    makeDatabase: async () => {
      const target = nameDatabase();
      if (generation === "1") await askQuery(`CREATE DATABASE ${target.database}`);
      else await ask(url, "/api/v3/configure/database", "POST", { db: target.database });
      return target;
    },
    dropExpired: async ({ database }) => void (generation === "1" && (await dropExpiredShards(url, database))),
    remove: async () => {
      for (const database of made) {
        if (generation === "1") await askQuery(`DROP DATABASE ${database}`);
        else await ask(url, `/api/v3/configure/database?db=${database}`, "DELETE").catch(() => undefined);
      }
    },
  };
}

/** Starts or reaches the InfluxDB to try a store on. */
export async function openInfluxBed(): Promise<InfluxBed> {
  if (ownUrl === undefined) return startDebianBed();
  const generation = await readGeneration(ownUrl);
  return generation === "2" ? openBedV2(ownUrl) : openOtherBed(ownUrl, generation);
}

import { DuckDBInstance } from "@duckdb/node-api";
import { loadMeasurement } from "../load/sample.js";
import type { StoredSample } from "./oracle.js";

type See = (sample: StoredSample) => void;

/** The group that a tag names; -1 if it is none of the load's. */
function readGroup(tag: unknown): number {
  const match = /^g (\d+)$/.exec(String(tag));
  return match === null ? -1 : Number(match[1]);
}

/** Shows every sample of the load in a data file, as often as it is there, past all code of the collector. */
export async function readDuckDb(path: string, see: See): Promise<void> {
  const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  try {
    const described = new Map<number, { host: string; group: number; field: string }>();
    const rows = await connection.runAndReadAll(`SELECT id, field, tags FROM series WHERE measurement = '${loadMeasurement}'`);
    for (const [id, field, tags] of rows.getRowsJS()) {
      const { host, group } = JSON.parse(String(tags));
      described.set(Number(id), { host, group: readGroup(group), field: String(field) });
    }
    for (const table of ["numbers", "texts"]) {
      const sql = `SELECT series_id, time_us, value FROM ${table}
        WHERE series_id IN (SELECT id FROM series WHERE measurement = '${loadMeasurement}')`;
      const result = await connection.stream(sql);
      for await (const chunk of result.yieldRowsJs()) {
        for (const [id, timeUs, value] of chunk) {
          const series = described.get(Number(id));
          if (series !== undefined) see({ ...series, timeUs: Number(timeUs), value: value as number | string });
        }
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

interface InfluxAnswer {
  readonly results: {
    readonly error?: string;
    readonly series?: { columns: string[]; values: (string | number | null)[][] }[];
  }[];
}

async function ask(url: string, influxql: string): Promise<{ columns: string[]; values: (string | number | null)[][] }[]> {
  const answer = await fetch(`${url}/query?db=fleetmark&epoch=u`, { method: "POST", body: new URLSearchParams({ q: influxql }) });
  const { results } = (await answer.json()) as InfluxAnswer;
  if (results[0]?.error !== undefined) throw new Error(`${results[0].error}: ${influxql}`);
  return results[0]?.series ?? [];
}

/**
 * Shows every sample of the load on an InfluxDB server. A point is its tags and time there, so none can be there twice.
 */
export async function readInflux(url: string, see: See): Promise<void> {
  const [hosts] = await ask(url, `SHOW TAG VALUES FROM ${loadMeasurement} WITH KEY = "host"`);
  for (const [, host] of hosts?.values ?? []) {
    const name = String(host).replace(/['\\]/g, "\\$&");
    const [table] = await ask(url, `SELECT * FROM ${loadMeasurement} WHERE "host" = '${name}'`);
    if (table === undefined) continue;
    const groupColumn = table.columns.indexOf("group");
    const tags = new Set(["time", "host", "group"]);
    for (const row of table.values) {
      for (const [i, field] of table.columns.entries()) {
        const value = row[i];
        if (tags.has(field) || value === null) continue;
        see({ host: String(host), group: readGroup(row[groupColumn]), field, timeUs: Number(row[0]), value });
      }
    }
  }
}

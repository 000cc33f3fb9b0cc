import { openInfluxStore } from "#collector/store/influx/influx.js";
import { askInflux, type Server, startInflux } from "../testbed/servers.js";
import type { FleetFacts } from "./fleet-parts.js";
import { simulateFleet } from "./simulated-fleet.js";

/** Starts an InfluxDB with Fleetmark's empty database. */
export async function startDatabase(): Promise<Server> {
  const server = await startInflux();
  await askInflux(server.url, "CREATE DATABASE fleetmark");
  return server;
}

/** Writes a simulated fleet through the collector's own store; returns the samples written. */
export async function fillWithFleet(url: string, facts: FleetFacts, tell: (samples: number) => void = () => {}): Promise<number> {
  const target = { url, database: "fleetmark", org: "", token: "", timeoutMs: 60_000 };
  const store = openInfluxStore(target, async (line, reason) => {
    throw new Error(`the server refuses ${line}: ${reason}`);
  });
  let samples = 0;
  try {
    for (const batch of simulateFleet(facts)) {
      await store.write([batch], facts.toMs * 1000);
      samples += batch.numbers.values.length + batch.texts.values.length;
      tell(samples);
    }
  } finally {
    await store.close();
  }
  return samples;
}

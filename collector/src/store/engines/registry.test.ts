import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { collectorConfigSchema } from "../../config.js";
import { findEngine, planStoreSetup } from "./registry.js";

const read = (store: object) => collectorConfigSchema.parse({ store }).store;
const url = "http://127.0.0.1:8086";
const retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };

describe("the store's configuration", () => {
  it("is what the chosen store needs, whatever else is set beside it", () => {
    expect(read({})).toEqual({ kind: "duckdb", database: "fleetmark", retention });
    expect(read({ url, org: "o", timeout: "3s" })).toEqual({ kind: "duckdb", database: "fleetmark", retention });
    const influx = { kind: "influxdb", url, database: "d", org: "o", token_file: "t", timeout: 3, retention };
    expect(read({ kind: "influxdb", url, database: "d", org: "o", token_file: "t", timeout: "3s" })).toEqual(influx);
  });

  it("must name a server for InfluxDB, and may not send in the clear to another machine", () => {
    const refuse = (store: object) => collectorConfigSchema.safeParse({ store }).error?.message;
    expect(refuse({ kind: "influxdb" })).toMatch(/is needed for influxdb/);
    expect(refuse({ kind: "influxdb", url: "http://example.com" })).toMatch(/in the clear/);
    expect(refuse({ kind: "influxdb", url: "http://example.com", insecure: "true" })).toBeUndefined();
    expect(refuse({ kind: "mysql" })).toBeDefined();
  });
});

describe("the engine of a configuration", () => {
  it("says which store is meant, and of a server what answers there", async () => {
    const identify = (store: object) => {
      const config = read(store);
      return findEngine(config).identify(config, "/data");
    };
    expect(await identify({})).toBe("the data file in /data");
    const server = createServer((_, response) => response.writeHead(204, { "X-Influxdb-Version": "v1.8.10" }).end());
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const there = `http://127.0.0.1:${port}`;
    expect(await identify({ kind: "influxdb", url: there })).toBe(`InfluxDB 1.8.10 at ${there}, database fleetmark`);
    expect(await identify({ kind: "influxdb", url: there, org: "o" })).toBe(`InfluxDB 1.8.10 at ${there}, bucket fleetmark`);
    await new Promise((resolve) => server.close(resolve));
    await expect(identify({ kind: "influxdb", url: there })).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("plans nothing for a data file", async () => {
    const plan = await planStoreSetup({ store: read({}), data_dir: "/data" });
    expect(plan).toMatchObject({ server: "the data file in /data", steps: [] });
  });
});

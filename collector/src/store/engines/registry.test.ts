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
  it("says which store is meant", () => {
    const describeStore = (store: object) => {
      const config = read(store);
      return findEngine(config).describe(config, "/data");
    };
    expect(describeStore({})).toBe("the data file in /data");
    expect(describeStore({ kind: "influxdb", url })).toBe(`InfluxDB at ${url}, database fleetmark`);
    expect(describeStore({ kind: "influxdb", url, org: "o" })).toBe(`InfluxDB at ${url}, bucket fleetmark`);
  });

  it("plans nothing for a data file", async () => {
    const plan = await planStoreSetup({ store: read({}), data_dir: "/data" });
    expect(plan).toMatchObject({ server: "the data file in /data", steps: [] });
  });
});

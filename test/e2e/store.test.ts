import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram } from "../testbed/program.js";
import { askInflux, findServer, type Server, startInflux } from "../testbed/servers.js";

const folder = makeFolder();
afterAll(folder.remove);

describe("fleetmark store check", () => {
  it("writes to the data file and reads back", async () => {
    const ended = await runProgram(["store", "check", "--data-dir", folder.path]);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/^ok +open .*\nok +write .*\nok +read .*\nok +keep +telemetry 30 d/);
  });

  it("refuses a configuration that lacks the address, or sends in the clear to another machine", async () => {
    const lacking = await runProgram(["store", "check", "--store-kind", "influxdb"]);
    expect(lacking.code).toBe(2);
    expect(lacking.stderr).toMatch(/store\.url: is needed for influxdb/);
    const clear = await runProgram(["store", "check", "--store-kind", "influxdb", "--store-url", "http://192.0.2.1:8086"]);
    expect(clear.code).toBe(2);
    expect(clear.stderr).toMatch(/in the clear.*store\.insecure/s);
  });

  it("says that a server is not there", async () => {
    const ended = await runProgram(["store", "check", "--json", "--store-kind", "influxdb", "--store-url", "http://127.0.0.1:9"]);
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stdout)).toMatchObject([
      { step: "open", ok: true },
      { step: "write", ok: false },
    ]);
    expect(ended.stdout).toContain("STORE_FAILED");
  });

  describe.skipIf(findServer("influxd") === undefined)("on InfluxDB", () => {
    let server: Server;
    beforeAll(async () => {
      server = await startInflux();
    });
    afterAll(() => server?.remove());

    it("fails without the database, and passes with it", async () => {
      const args = ["store", "check", "--store-kind", "influxdb", "--store-url", server.url];
      const without = await runProgram(args);
      expect(without.code).toBe(3);
      expect(without.stdout).toMatch(/failed +write .*no database "fleetmark": .*create it/);
      await askInflux(server.url, "CREATE DATABASE fleetmark");
      const ended = await runProgram(args);
      expect(ended, ended.stdout).toMatchObject({ code: 0 });
      expect(ended.stdout).toMatch(/ok +read +the same point/);
      expect(ended.stdout).toMatch(/ok +keep .*`fleetmark store setup` changes that/);
    });
  });
});

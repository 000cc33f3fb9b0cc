import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../testbed/needs.js";
import { makeFolder, runProgram } from "../testbed/program.js";
import { type Server, startInflux } from "../testbed/servers.js";

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
    expect(JSON.parse(ended.stdout)).toMatchObject([{ step: "open", ok: false }]);
    expect(ended.stdout).toContain("STORE_FAILED");
  });

  describeWith("influxd")("on InfluxDB", () => {
    let server: Server;
    beforeAll(async () => {
      server = await startInflux();
    });
    afterAll(() => server?.remove());

    it("fails without the database, and passes with it", async () => {
      const args = ["store", "check", "--store-kind", "influxdb", "--store-url", server.url];
      const without = await runProgram(args);
      expect(without.code).toBe(3);
      expect(without.stdout).toMatch(/ok +open +InfluxDB 1\.\d.*\n.*failed +database .*no database "fleetmark": .*create it/);
      const setup = await runProgram(["store", "setup", "--yes", ...args.slice(2)]);
      expect(setup, setup.stderr).toMatchObject({ code: 0 });
      expect(setup.stdout).toMatch(/1\. create the database fleetmark\n {3}CREATE DATABASE "fleetmark" WITH.*done {2}4\. /s);
      const ended = await runProgram(args);
      expect(ended, ended.stdout).toMatchObject({ code: 0 });
      expect(ended.stdout).toMatch(/ok +read +the same point/);
      expect(ended.stdout).toMatch(/ok +keep +telemetry 30 d/);
    });

    it("names the fields that another writer has given another type", async () => {
      const body = 'mem,host=a total=5i,used=1.5\ncpu,host=a usage_user="low"\nsystem,host=a uptime_format="1 day"\n';
      await fetch(`${server.url}/query`, { method: "POST", body: new URLSearchParams({ q: "CREATE DATABASE shared" }) });
      expect((await fetch(`${server.url}/write?db=shared`, { method: "POST", body })).status).toBe(204);
      const where = ["--store-kind", "influxdb", "--store-url", server.url, "--store-database", "shared"];
      const ended = await runProgram(["store", "check", ...where]);
      expect(ended.code).toBe(3);
      expect(ended.stdout).toMatch(
        /failed +types .*another writer has written .*cpu\.usage_user \(string\), mem\.total \(integer\), and/,
      );
    });
  });
});

describe("fleetmark store setup, export and import", () => {
  it("moves a file into a data file and out of it", async () => {
    const [lines, parquet, data] = ["in.lp", "out.parquet", "moved"].map((name) => join(folder.path, name));
    const nowS = Math.floor(Date.now() / 1000);
    writeFileSync(lines, `cpu,host=a usage_user=1 ${nowS}\nrubbish\ncpu,host=a usage_user=2 ${nowS + 1}\n`);
    const rejected = join(folder.path, "in.rejected");
    const brought = await runProgram(["store", "import", lines, "--precision", "s", "--rejected", rejected, "--data-dir", data]);
    expect(brought.code, brought.stderr).toBe(3);
    expect(brought.stdout).toMatch(
      /2 values of 2 points.*\n1 could not be stored, kept in .*in\.rejected:\n {2}line 2: no fields\n/,
    );
    const written = await runProgram([
      "store",
      "export",
      parquet,
      "--json",
      "--measurement",
      "cpu",
      "--from",
      "-1h",
      "--data-dir",
      data,
    ]);
    expect(written, written.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(written.stdout)).toMatchObject({ file: parquet, samples: 2, skipped: 0 });
  });

  it("says what is wrong with how it is called", async () => {
    const named = await runProgram(["store", "export", "x.csv", "--data-dir", folder.path]);
    expect([named.code, named.stderr]).toEqual([2, expect.stringMatching(/\.lp, \.lp\.gz or \.parquet/)]);
    const timed = await runProgram(["store", "export", "x.lp", "--from", "yesterday", "--data-dir", folder.path]);
    expect([timed.code, timed.stderr]).toEqual([2, expect.stringMatching(/2026-01-31T12:00:00Z or -7d/)]);
    const unasked = await runProgram(["store", "setup", "--data-dir", folder.path]);
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringMatching(/--yes to do it, or --dry-run/)]);
  });

  it("needs no setup for a data file", async () => {
    const ended = await runProgram(["store", "setup", "--dry-run", "--json", "--data-dir", folder.path]);
    expect(JSON.parse(ended.stdout)).toMatchObject({ steps: [], notes: [expect.stringMatching(/needs no setup/)] });
  });
});

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram, startProgram } from "../testbed/program.js";
import { describeWithJax, python } from "../testbed/python.js";

const folder = makeFolder();
afterAll(() => folder.remove());

const at = (name: string): string => join(folder.path, name);
const make = (...args: string[]) => runProgram(["dataset", "make", "--env", "HVACControl-v0", "--size", "3000", ...args]);

describe("fleetmark dataset make", () => {
  it("writes Parquet that a database reads, with the names of the plant", async () => {
    const { code, stdout } = await make("-o", at("hvac.parquet"), "--quality", "expert", "--json");
    expect(code).toBe(0);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ env: "HVACControl-v0", quality: "expert", transitions: 3000, episodes: 3 });
    expect(told.bytes).toBe(statSync(at("hvac.parquet")).size);
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INTEGER AS rows, avg("observation.south_air_temperature") AS air, sum(timeout::INTEGER)::INTEGER AS ends,
        sum(reward) AS reward FROM '${at("hvac.parquet")}'`,
    );
    const [row] = reader.getRowObjectsJson() as { rows: number; air: number; ends: number; reward: number }[];
    expect([row.rows, row.ends]).toEqual([3000, 3]);
    expect(row.air).toBeGreaterThan(20);
    expect(row.air).toBeLessThan(26);
    expect(Math.abs(row.reward / 3 - told.mean_return)).toBeLessThan(0.1);
    connection.closeSync();
  });

  it("tells a person what there is", async () => {
    const { code, stdout, stderr } = await make("-o", at("hvac.npz"), "--quality", "random");
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr.replaceAll(/\s+/g, " ")).toMatch(/hvac\.npz: 3000 transitions of HVACControl-v0, random, 3 whole episodes/);
  });

  it.each([
    [["--env", "HVACControl"], /There is no environment HVACControl; did you mean HVACControl-v0\?/],
    [["--quality", "good"], /Allowed choices are expert, medium, mixed, random/],
    [["--size", "0"], /number from 1 to 5000000/],
    [["-o", at("data.csv")], /ends with neither \.npz nor \.parquet/],
    [["-o", at("hvac.parquet")], /is there already: --force replaces it/],
    [["-o", at("nowhere/x.npz")], /can't be written \(ENOENT\)/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await make(...args);
    expect(code).toBe(2);
    expect(stderr.replaceAll(/\s+/g, " ")).toMatch(message);
  });

  it("leaves nothing behind when it is interrupted", async () => {
    const file = at("large.npz");
    const program = startProgram([
      "dataset",
      "make",
      "--env",
      "RobotAssembly-v0",
      "--quality",
      "expert",
      "--size",
      "5000000",
      "-o",
      file,
    ]);
    await new Promise<void>((resolve) => program.process.stderr?.once("data", () => resolve()));
    program.process.kill("SIGINT");
    expect((await program.ended).code).toBe(130);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(folder.path).filter((name) => name.startsWith("large"))).toEqual([]);
  });
});

describeWithJax("what NumPy makes of a dataset", () => {
  it("is arrays of D4RL's names and shapes", async () => {
    await make("-o", at("numpy.npz"), "--force");
    const script = `import json, numpy, sys
data = numpy.load(sys.argv[1])
print(json.dumps({name: [str(data[name].dtype), list(data[name].shape)] for name in data}))`;
    expect(JSON.parse(execFileSync(python, ["-c", script, at("numpy.npz")], { encoding: "utf8" }))).toEqual({
      observations: ["float32", [3000, 18]],
      actions: ["float32", [3000, 5]],
      rewards: ["float32", [3000]],
      next_observations: ["float32", [3000, 18]],
      terminals: ["bool", [3000]],
      timeouts: ["bool", [3000]],
    });
  });
});

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "@fleetmark/shared/model/result";
import { type ResultFile, resultFileSchema } from "@fleetmark/shared/model/result-file";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram, startProgram } from "../testbed/program.js";

const folder = makeFolder();
const outputDir = join(folder.path, "results");
const one = ["bench", "--filter", "environment_step*", "--budget", "3s", "--output-dir", outputDir];
afterAll(folder.remove);

/** A file in which every result is as measured but for its speed. */
function writeSpedUp(file: ResultFile, factor: number): string {
  const results = file.results.map((result) => ({
    ...result,
    median: result.median / factor,
    median_low: result.median / factor,
    median_high: result.median / factor,
    throughput: result.throughput * factor,
    steady_state: "flat",
  }));
  const path = join(folder.path, `times-${factor}.json`);
  writeFileSync(path, JSON.stringify({ ...file, results }));
  return path;
}

describe("fleetmark bench", () => {
  let file: ResultFile;

  beforeAll(async () => {
    const ended = await runProgram([...one, "--json"]);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    file = resultFileSchema.parse(JSON.parse(ended.stdout));
    expect(ended.stderr).toMatch(/benchmark 1 of 1 .*elapsed .*remaining /);
  });

  it("writes the file that it prints, and a table without --json", async () => {
    const [name] = readdirSync(outputDir);
    expect(JSON.parse(readFileSync(join(outputDir, name), "utf8"))).toEqual(file);
    expect(file.results.map((result: Result) => result.name)).toEqual(["environment_step{env=ChemicalReactor-v0} js/cpu"]);
    const table = await runProgram(one);
    expect(table.stdout).toMatch(/environment +environment_step.*steps\/s/);
  });

  it("exits with 1 on a regression, and with 0 on none", async () => {
    const slower = await runProgram([...one, "--compare-baseline", "--baseline", writeSpedUp(file, 100)]);
    const settled = !/not-steady/.test(slower.stdout);
    expect(slower.code, slower.stdout).toBe(settled ? 1 : 0);
    if (settled) expect(slower.stdout).toMatch(/regressed, high/);
    const faster = await runProgram([...one, "--compare-baseline", "--baseline", writeSpedUp(file, 0.01)]);
    expect(faster.code, faster.stdout).toBe(0);
    expect(faster.stdout).toMatch(/improved|not-steady/);
  });

  it("keeps no result in a baseline that was not steady", async () => {
    const ended = await runProgram([...one, "--save-baseline"]);
    const baseline = resultFileSchema.parse(JSON.parse(readFileSync(join(outputDir, "baseline.json"), "utf8")));
    expect(ended.stderr).toContain(`baseline of ${baseline.results.length} results`);
    expect(baseline.results.every((result: Result) => result.steady_state !== "no_steady_state")).toBe(true);
  });

  it("keeps what was measured at Ctrl-C", async () => {
    const own = makeFolder();
    const program = startProgram(["bench", "--quick", "--output-dir", own.path]);
    await program.waitFor(/benchmark 2 of/);
    program.process.kill("SIGINT");
    const ended = await program.ended;
    expect(ended.stdout).toMatch(/interrupted/);
    expect(ended.code).toBe(130);
    const [name] = readdirSync(own.path);
    const kept = resultFileSchema.parse(JSON.parse(readFileSync(join(own.path, name), "utf8")));
    expect(kept.run.state).toBe("interrupted");
    expect(kept.results).toHaveLength(1);
    own.remove();
  });

  it("lists benchmarks by category, runtime and name", async () => {
    const list = async (...args: string[]): Promise<string[]> =>
      (await runProgram(["bench", "--list", ...args])).stdout.trimEnd().split("\n");
    const all = await list();
    expect(all.length).toBeGreaterThan(20);
    const jax = await list("--categories", "jax", "memory");
    expect(jax.every((line) => /^(jax|memory) /.test(line))).toBe(true);
    expect((await list("--runtime", "tfjs-wasm")).every((line) => line.endsWith("tfjs-wasm/cpu"))).toBe(true);
    expect(await list("--filter", "td3_bc_update*jax-js*")).toHaveLength(1);
    expect((await list("--quick")).length).toBeLessThan(all.length);
  });

  it("publishes the schema of its files", async () => {
    const published = readFileSync(new URL("../../docs/result-file.schema.json", import.meta.url), "utf8");
    expect(JSON.parse((await runProgram(["bench", "--schema"])).stdout)).toEqual(JSON.parse(published));
  });

  it.each([
    [["--suite", "enormous"], 2, /BENCHMARK_UNKNOWN.*quick and full/s],
    [["--filter", "nothing*"], 2, /BENCHMARK_UNKNOWN/],
    [["--runtime", "tfjs-node-gpu"], 3, /RUNTIME_UNAVAILABLE.*tfjs-node-gpu: not installed/s],
    [["--categories", "jux"], 2, /jax, environment/],
    [["--budget", "soon"], 2, /90s, 5m/],
    [["--compare-baseline", "--baseline", "/nonexistent.json"], 2, /RESULT_FILE_INVALID.*nonexistent/s],
    [["--quick", "--output-dir", "/dev/null/results"], 3, /DATA_UNWRITABLE/],
  ])("bench %j exits with %d", async (args, code, message) => {
    const ended = await runProgram(["bench", ...args]);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });
});

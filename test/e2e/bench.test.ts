import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "@fleetmark/shared/model/result";
import { type ResultFile, resultFileSchema } from "@fleetmark/shared/model/result-file";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram, startProgram } from "../testbed/program.js";

const folder = makeFolder();
const outputDir = join(folder.path, "results");
const one = ["bench", "--filter", "environment_step*Chemical*", "--budget", "3s", "--output-dir", outputDir];
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

  it("replaces of a baseline what was chosen alone, and says how many figures were judged", async () => {
    const path = join(folder.path, "merged.json");
    const others = file.results.map((result) => ({ ...result, name: "other" }));
    writeFileSync(path, JSON.stringify({ ...file, results: others }));
    const saved = await runProgram([...one, "--save-baseline", "--baseline", path]);
    const { results } = resultFileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    expect(results.map(({ name }: Result) => name).at(-1)).toBe("other");
    expect(saved.stderr).toContain("1 of the former one stay");
    const compared = await runProgram([...one, "--compare-baseline", "--baseline", path]);
    expect(compared.stdout).toMatch(/figures judged: .*1 benchmarks? only in the baseline/s);
  });

  it("keeps what was measured at Ctrl-C", async () => {
    const own = makeFolder();
    const baseline = join(folder.path, "kept.json");
    writeFileSync(baseline, JSON.stringify(file));
    const saving = ["--save-baseline", "--baseline", baseline];
    const program = startProgram(["bench", "--quick", "--output-dir", own.path, ...saving]);
    await program.waitFor(/benchmark 2 of/);
    program.process.kill("SIGINT");
    const ended = await program.ended;
    expect(ended.stdout).toMatch(/interrupted/);
    expect(ended.code).toBe(130);
    const [name] = readdirSync(own.path);
    const kept = resultFileSchema.parse(JSON.parse(readFileSync(join(own.path, name), "utf8")));
    expect(kept.run.state).toBe("interrupted");
    expect(kept.results).toHaveLength(1);
    expect([ended.stderr, JSON.parse(readFileSync(baseline, "utf8"))]).toEqual([
      expect.stringContaining("stays as it was"),
      file,
    ]);
    own.remove();
  });

  it("exits with 3 where nothing could be compared, and reads past a byte order mark", async () => {
    const other = writeSpedUp({ ...file, results: file.results.map((result) => ({ ...result, name: "other" })) }, 1);
    const unlike = await runProgram([...one, "--compare-baseline", "--baseline", other]);
    expect([unlike.code, unlike.stderr]).toEqual([3, expect.stringMatching(/NOTHING_COMPARED/)]);
    const marked = join(folder.path, "marked.json");
    writeFileSync(marked, `\uFEFF${JSON.stringify(file)}`);
    const ended = await runProgram([...one, "--compare-baseline", "--baseline", marked]);
    expect(ended.stderr).not.toMatch(/RESULT_FILE_INVALID/);
    expect([0, 1]).toContain(ended.code);
  });

  it("accepts a slower level with who and why, and writes a summary of it", async () => {
    const path = writeSpedUp(file, 100);
    const summary = join(folder.path, "summary.md");
    const environment = { GITHUB_SHA: "1a2b3c4d5e6f7a8b", GITHUB_REF_NAME: "main", GITHUB_HEAD_REF: "", GITHUB_ACTOR: "ada" };
    const args = [
      ...one,
      "--compare-baseline",
      "--baseline",
      path,
      "--accept",
      "a safer solver",
      "--summary",
      summary,
      "--label",
      "pr=12",
    ];
    const ended = await runProgram(args, { environment });
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/^measured: 1a2b3c4d5e6f \(main\); pr=12$/m);
    const kept = resultFileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    expect(kept.accepted).toMatchObject({ by: "ada", reason: "a safer solver" });
    expect(kept.run).toMatchObject({ commit: environment.GITHUB_SHA, branch: "main", labels: { pr: "12" } });
    const text = readFileSync(summary, "utf8");
    expect(text).toMatch(/^### Benchmarks: suite full\n\n1 of 1 benchmarks in .*, of 1a2b3c4d5e6f \(main\); pr=12\n/);
    expect(text).toMatch(/Accepted as the new baseline by ada: a safer solver/);
    if (kept.accepted?.regressions.length) expect(text).toMatch(/\| \*\*regressed\*\*, high \|/);
  });

  it("lists benchmarks by category, runtime and name", async () => {
    const list = async (...args: string[]): Promise<string[]> =>
      (await runProgram(["bench", "--list", ...args])).stdout.trimEnd().split("\n");
    const all = await list();
    expect(all.length).toBeGreaterThan(20);
    const jax = await list("--categories", "jax", "memory");
    expect(jax.every((line) => /^(jax|memory) /.test(line))).toBe(true);
    expect((await list("--runtime", "tfjs-wasm")).every((line) => line.endsWith("tfjs-wasm/cpu"))).toBe(true);
    expect(await list("--filter", "td3_bc_update*batch=256*jax-js*")).toHaveLength(1);
    expect((await list("--quick")).length).toBeLessThan(all.length);
  });

  it("publishes the schema of its files", async () => {
    const published = readFileSync(new URL("../../docs/result-file.schema.json", import.meta.url), "utf8");
    expect(JSON.parse((await runProgram(["bench", "--schema"])).stdout)).toEqual(JSON.parse(published));
  });

  it.each([
    [["--suite", "enormous"], 2, /BENCHMARK_UNKNOWN.*quick, full, gpu/s],
    [["--filter", "nothing*"], 2, /BENCHMARK_UNKNOWN/],
    [["--runtime", "tfjs-node-gpu"], 3, /RUNTIME_UNAVAILABLE.*tfjs-node-gpu: not installed/s],
    [["--categories", "jux"], 2, /jax, environment/],
    [["--budget", "soon"], 2, /90s, 5m/],
    [["--label", "two\nlines"], 2, /A label is a text or key=value/],
    [["--suite-file", "/nonexistent.yaml", "--list"], 2, /SUITE_FILE_INVALID.*nonexistent/s],
    [["--compare-baseline", "--baseline", "/nonexistent.json"], 2, /RESULT_FILE_INVALID.*nonexistent/s],
    [["--quick", "--output-dir", "/dev/null/results"], 3, /DATA_UNWRITABLE/],
  ])("bench %j exits with %d", async (args, code, message) => {
    const ended = await runProgram(["bench", ...args]);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });
});

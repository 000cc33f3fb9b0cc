import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runSuite } from "#bench/measure/suite-run.js";
import { readSuiteFile } from "#bench/suite-file/suite-file.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder } from "../testbed/program.js";
import { describeWithJax, python } from "../testbed/python.js";
import { findServer } from "../testbed/servers.js";

const folder = makeFolder();
afterAll(() => folder.remove());

/** Writes a suite file of one command, and runs it. */
async function run(name: string, command: readonly string[], report: object, options: object = {}) {
  const path = join(folder.path, `${name}.yaml`);
  const file = { workloads: [{ name, command, report }], suites: [{ name: "own", description: "", benchmarks: [{ name }] }] };
  writeFileSync(path, JSON.stringify(file));
  const [suite] = readSuiteFile(path);
  return runSuite({ suite, budgetS: 4, ...options });
}

function script(name: string, lines: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return `./${name}`;
}

const report = '{"results":[{"command":"x","times":[0.001,0.0011,0.0012]}]}';
const hyperfine = { format: "hyperfine" };

describe("a command that reports", () => {
  it("is a benchmark like all others, in process after process", async () => {
    const { results, run: ended } = await run("sleeper", [script("good", `sleep 0.2; echo '${report}'`)], hyperfine);
    expect(ended.failures).toEqual([]);
    expect(results[0]).toMatchObject({ name: "sleeper command/cpu", category: "external", unit: "s", quantity: "time" });
    expect(results[0].median).toBeCloseTo(0.0011, 6);
    expect(results[0].process_runs).toBeGreaterThanOrEqual(3);
    expect(results[0].metadata).toMatchObject({ report_format: "hyperfine" });
    expect(results[0].memory_peak_mb).toBeGreaterThan(0);
  });

  it("leaves its report in a file, which must be of this very run", async () => {
    const writes = script("writes", `echo '${report}' > out.json`);
    const { results } = await run("writer", [writes], { ...hyperfine, file: "out.json" }, { budgetS: 1 });
    expect(results.length).toBe(1);
    const { run: ended } = await run("idler", [script("idle", "sleep 2.2")], { ...hyperfine, file: "out.json" });
    expect(ended.failures[0].error).toMatch(/ended well and did not write .*out\.json/);
  });

  it.each([
    ["fails", "echo 'no such device' >&2; exit 3", /exited with code 3|code 3/],
    ["prints_nonsense", "echo Segmentation fault", /its report is not of hyperfine: it begins with "Segmentation fault/],
    ["prints_nothing", "true", /it is empty/],
    ["floods", "yes 0123456789012345678901234567890123456789", /wrote over/],
    ["leaves_children", `sleep 60 & echo '${report}'`, undefined],
  ])("is contained when it %s", async (name, lines, message) => {
    const { run: ended, results } = await run(name, [script(name, lines)], hyperfine, { budgetS: 1 });
    if (message === undefined) expect(results.length).toBe(1);
    else expect(ended.failures[0].error).toMatch(message);
  });

  it("is killed when it hangs", async () => {
    const startedMs = performance.now();
    const { run: ended } = await run("hangs", [script("hangs", "trap '' TERM; sleep 300")], hyperfine, { timeoutS: 1 });
    expect(ended.failures[0].error).toMatch(/took longer than 1 s/);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });

  it("is refused where a report is no report of ours", () => {
    const path = join(folder.path, "wrong.yaml");
    const write = (workload: object): void =>
      writeFileSync(path, JSON.stringify({ workloads: [{ name: "w", ...workload }], suites: [] }));
    write({ command: ["true"], report: { format: "hyperfin" } });
    expect(() => readSuiteFile(path)).toThrow(/report.format/);
    write({ module: "./x.mjs", report: hyperfine });
    expect(() => readSuiteFile(path)).toThrow(/is that of a command/);
    write({ command: ["true"], report: { formt: "hyperfine" } });
    expect(() => readSuiteFile(path)).toThrow(/did you mean format/);
  });
});

describeWith("hyperfine")("hyperfine itself", () => {
  it("is understood", async () => {
    const command = [findServer("hyperfine") ?? "", "-N", "--runs", "20", "--export-json", "h.json", "true"];
    const { results, run: ended } = await run("process_start", command, { ...hyperfine, file: "h.json" }, { budgetS: 2 });
    expect(ended.failures).toEqual([]);
    expect(results[0].n).toBeGreaterThanOrEqual(20);
  });
});

describeWithJax("pytest-benchmark itself", () => {
  it("is understood", async () => {
    writeFileSync(join(folder.path, "test_sum.py"), "def test_sum(benchmark):\n    benchmark(lambda: sum(range(1000)))\n");
    const options = ["--benchmark-json=p.json", "--benchmark-save-data", "--benchmark-max-time=0.1", "-p", "no:cacheprovider"];
    const command = [python, "-m", "pytest", "-q", ...options, "test_sum.py"];
    const { results, run: ended } = await run("sum", command, { format: "pytest-benchmark", file: "p.json" });
    expect(ended.failures).toEqual([]);
    expect(results[0].n).toBeGreaterThan(20);
  }, 60_000);
});

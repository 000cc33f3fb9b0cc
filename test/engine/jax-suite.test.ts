import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runSuite } from "#bench/measure/suite-run.js";
import { loadRuntime } from "#bench/runtimes/registry.js";
import { listJaxBenchmarks } from "#bench/suites/jax-suite.js";
import { describeWithJax, python } from "../testbed/python.js";
import { algorithms, traceUpdates } from "./learner-updates.js";

const program = fileURLToPath(new URL("../../bench/python/jax_suite.py", import.meta.url));
const compareLearners = fileURLToPath(new URL("./compare-learners.py", import.meta.url));

interface Told {
  readonly type: string;
  readonly [key: string]: unknown;
}

function ask(benchmark: string, params: object): Told[] {
  const job = { type: "job", protocol: 1, benchmark, params, seed: 1, samples: 20, fewest_samples: 2, limit_s: 0.1 };
  const { stdout } = spawnSync(python, [program, "--platform", "cpu"], {
    input: `${JSON.stringify(job)}\n`,
    encoding: "utf8",
    timeout: 120_000,
  });
  const lines = stdout.trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

describeWithJax("the benchmarks by Python's JAX", () => {
  it.each(algorithms)(
    "learn by %s as the other runtimes do: equal losses update after update",
    async (algorithm) => {
      const runtime = await loadRuntime("jax-js");
      const { losses, ...begun } = await traceUpdates(runtime, algorithm);
      const input = JSON.stringify({ algorithm, ...begun });
      const told = execFileSync(python, [compareLearners], { input, encoding: "utf8", maxBuffer: 1 << 26 });
      const theirs: number[] = JSON.parse(told);
      for (const [i, loss] of losses.entries()) expect(Math.abs(theirs[i] / loss - 1)).toBeLessThan(1e-3);
    },
    120_000,
  );

  it("compute, one of each kind", () => {
    // Of each workload the last, but for the full updates, which were compared.
    const last = new Map(listJaxBenchmarks().map((each) => [each.workload, each]));
    const few = [...last.values()].filter(({ workload }) => !/_update$|jit_compile/.test(workload));
    for (const { workload, params } of few) {
      const told = ask(workload, params);
      expect([workload, params, told.map(({ type }) => type).slice(-1)]).toEqual([workload, params, ["done"]]);
      expect(told[0]).toMatchObject({ type: "ready", device: "cpu", runtime: "jax" });
      expect(Number.isFinite(told[2].checksum)).toBe(true);
    }
  }, 300_000);

  it.each([
    ["tensor_execution", { kernel: "sum_of_square", size: 10 }, /kernel is one of/],
    ["matmul", { n: 1.5 }, /n is a whole number/],
    ["policy_forwards", { batch: 1 }, /no benchmark policy_forwards/],
  ])("refuse %s %j", (name, params, message) => {
    expect(ask(name, params)).toMatchObject([{ type: "failed", message: expect.stringMatching(message) }]);
  });

  it("are measured in a run like all others, a first call once a process", async () => {
    const [first] = listJaxBenchmarks().filter(({ workload }) => workload === "jit_compile");
    const benchmarks = [first].map((each) => ({
      ...each,
      command: { ...first.command, program: python, args: [program, "--platform", "cpu"] },
    }));
    const { results, run } = await runSuite({ suite: { name: "test", description: "", benchmarks }, budgetS: 8 });
    expect(run.failures).toEqual([]);
    expect(results[0]).toMatchObject({ name: "jit_compile{kernel=sum_of_squares} jax/cpu", unit: "s", throughput: 0 });
    expect(results[0].n).toBe(results[0].process_runs);
    expect(results[0].metadata).toMatchObject({ command_runtime: "jax" });
  }, 60_000);
});

import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createCql } from "#bench/algorithms/cql.js";
import { createIql } from "#bench/algorithms/iql.js";
import type { Learner } from "#bench/algorithms/learner.js";
import { type Batch, createBatch } from "#bench/algorithms/replay-buffer.js";
import { createTd3Bc, td3BcDefaults } from "#bench/algorithms/td3-bc.js";
import { createRandom, drawNormal, drawUniform } from "#bench/environments/random.js";
import { runSuite } from "#bench/measure/suite-run.js";
import { loadRuntime } from "#bench/runtimes/registry.js";
import type { TensorRuntime, Tensors } from "#bench/runtimes/runtime.js";
import { listJaxBenchmarks } from "#bench/suites/jax-suite.js";
import { describeWithJax, python } from "../testbed/python.js";

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

const sizes = { observationLength: 12, actionLength: 3 };

function drawBatch(): Batch {
  const random = createRandom(5);
  const batch = createBatch(64, sizes);
  for (const array of [batch.observations, batch.nextObservations, batch.rewards]) {
    for (let i = 0; i < array.length; i++) array[i] = drawNormal(random);
  }
  for (let i = 0; i < batch.actions.length; i++) batch.actions[i] = 2 * drawUniform(random) - 1;
  for (let i = 0; i < batch.size; i++) batch.continues[i] = i % 8 === 0 ? 0 : 1;
  return batch;
}

const makers: Readonly<Record<string, (runtime: TensorRuntime, seed: number) => Learner<Tensors>>> = {
  td3_bc: (runtime, seed) => createTd3Bc(runtime, sizes, seed, { ...td3BcDefaults, policyDelay: 1 }),
  iql: (runtime, seed) => createIql(runtime, sizes, seed),
  cql: (runtime, seed) => createCql(runtime, sizes, seed),
};

describeWithJax("the benchmarks by Python's JAX", () => {
  it.each(["td3_bc", "iql", "cql"])(
    "learn by %s as the other runtimes do: equal losses update after update",
    async (algorithm) => {
      const runtime = await loadRuntime("jax-js");
      const readAll = (tensors: readonly import("#bench/runtimes/runtime.js").Tensor[]) =>
        tensors.map((each) => ({ shape: each.shape, data: [...(runtime.read(each) as Float32Array)] }));
      // Of equal seeds, so that one tells what the other draws.
      const [telling, learning] = [makers[algorithm](runtime, 7), makers[algorithm](runtime, 7)];
      const batch = drawBatch();
      const state = Object.fromEntries(Object.entries(learning.state).map(([name, tensors]) => [name, readAll(tensors)]));
      const batches = [];
      const losses: number[] = [];
      for (let i = 0; i < 2; i++) {
        const uploaded = telling.upload(batch);
        batches.push(readAll(uploaded));
        runtime.dispose(uploaded);
        losses.push(await learning.update(batch));
      }
      const input = JSON.stringify({ algorithm, state, batches });
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

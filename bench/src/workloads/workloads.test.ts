import { feedsKpi, kpis } from "@fleetmark/shared/model/kpis";
import { describe, expect, test } from "vitest";
import { findSuite, listBenchmarks, suites } from "../suites/suites.js";
import { setupTask, workloads } from "./registry.js";
import type { Benchmark, Iterate } from "./workload.js";

const quick = findSuite("quick")?.benchmarks ?? [];
const format = ({ workload, params, runtime }: Benchmark): string => `${workload} ${JSON.stringify(params)} ${runtime}`;

function toResult({ workload, category, params }: Benchmark) {
  const text = Object.entries(params).map(([key, value]) => `${key}=${value}`);
  return { benchmark: workload, category, params: text.join(",") };
}

/** Calls a task's code a few times and returns the values. */
async function callThrice(iterate: Iterate): Promise<number[]> {
  return [await iterate(), await iterate(), await iterate()];
}

async function runTask(benchmark: Benchmark, seed: number): Promise<number[]> {
  const task = await setupTask(benchmark, seed);
  const parts = {
    repeat: () => [task.kind === "repeat" && task.iterate],
    compare: () => (task.kind === "compare" ? [task.baseline, task.candidate] : []),
    "first-call": () => [task.kind === "first-call" && task.call],
    episode: () => [task.kind === "episode" && task.episode],
  }[task.kind]();
  const values = [];
  for (const part of parts) if (part !== false) values.push(...(await callThrice(part)));
  expect(task.processed.perIteration).toBeGreaterThan(0);
  task.teardown();
  return values;
}

describe("suites", () => {
  test("quick feeds every KPI, and full holds all of quick", () => {
    expect(kpis.filter((kpi) => !quick.some((benchmark) => feedsKpi(kpi, toResult(benchmark))))).toEqual([]);
    const all = listBenchmarks().map(format);
    expect(quick.map(format).filter((name) => !all.includes(name))).toEqual([]);
  });

  test("name every benchmark once, and every workload occurs", () => {
    for (const { benchmarks } of suites) expect(new Set(benchmarks.map(format)).size).toBe(benchmarks.length);
    // Commands bring their own.
    const own = listBenchmarks().filter(({ command }) => command === undefined);
    expect(new Set(own.map(({ workload }) => workload))).toEqual(new Set(workloads.map(({ name }) => name)));
  });
});

describe("every benchmark of quick", () => {
  test.each(quick.map((benchmark) => [format(benchmark), benchmark] as const))("%s does seeded work", async (_, benchmark) => {
    const values = await runTask(benchmark, 7);
    expect(values.length).toBeGreaterThanOrEqual(3);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(await runTask(benchmark, 7)).toEqual(values);
    expect(await runTask(benchmark, 8)).not.toEqual(values);
  });
});

describe("every benchmark of an environment", () => {
  const names = [
    "environment_step",
    "safety_overhead",
    "environment_vector_step",
    "environment_part",
    "constraint_check",
    "episode_memory",
  ];
  const own = listBenchmarks().filter(({ workload }) => names.includes(workload));
  test.each(own.map((benchmark) => [format(benchmark), benchmark] as const))("%s does seeded work", async (_, benchmark) => {
    const values = await runTask(benchmark, 7);
    expect(values.length).toBeGreaterThanOrEqual(3);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(await runTask(benchmark, 7)).toEqual(values);
  });

  test("names the nearest environment where there is none of a name", async () => {
    const params = { env: "ChemicalReactr-v0" };
    const wrong = { workload: "environment_step", category: "environment", params, runtime: "js", device: "cpu" } as const;
    await expect(setupTask(wrong, 1)).rejects.toThrow(/did you mean ChemicalReactor-v0/);
    const part = { ...wrong, workload: "environment_part", params: { env: "PowerGrid-v0", part: "rewards" } };
    await expect(setupTask(part, 1)).rejects.toThrow(/one of reset, transition, reward/);
  });
});

describe("every other workload", () => {
  const benchmarks = [
    ...["jax-js", "tfjs-wasm"].flatMap((runtime) => [
      ...["td3_bc", "iql", "cql"].flatMap((algorithm) =>
        ["value", "gradients", "application"].map((part) => ({
          workload: "update_part",
          params: { algorithm, part, batch: 8 },
          runtime,
        })),
      ),
      { workload: "matmul", params: { n: 16 }, runtime },
      { workload: "first_action", params: { start: "warmed" }, runtime },
    ]),
    ...["cold", "warmed"].map((start) => ({ workload: "first_action", params: { start }, runtime: "wasm" })),
    { workload: "policy_forward", params: { batch: 5 }, runtime: "wasm" },
    { workload: "dataset_make", params: { env: "HVACControl-v0", quality: "expert" }, runtime: "js" },
    { workload: "buffer_sample", params: { batch: 8 }, runtime: "js" },
    ...["many_small", "few_large", "typed_arrays", "churn"].map((pattern) => ({
      workload: "allocation",
      params: { pattern },
      runtime: "js",
    })),
    { workload: "step_under_garbage", params: { heap_mb: 1 }, runtime: "js" },
    ...["copy", "scale", "add", "triad"].map((kernel) => ({
      workload: "memory_bandwidth",
      params: { kernel, mib: 1 },
      runtime: "js",
    })),
    ...["integer", "float", "latency"].map((kernel) => ({ workload: "cpu_reference", params: { kernel }, runtime: "js" })),
  ].map((each): Benchmark => ({ ...each, category: "rl", device: "cpu" }) as Benchmark);

  test.each(benchmarks.map((benchmark) => [format(benchmark), benchmark] as const))(
    "%s does seeded work",
    async (_, benchmark) => {
      const values = await runTask(benchmark, 7);
      expect(values.length).toBe(3);
      expect(values.every(Number.isFinite)).toBe(true);
      expect(await runTask(benchmark, 7)).toEqual(values);
    },
  );

  test("a chain of loads visits all of memory before it comes back", async () => {
    const task = await setupTask(
      { workload: "cpu_reference", category: "memory", params: { kernel: "latency" }, runtime: "js", device: "cpu" },
      3,
    );
    if (task.kind !== "repeat") throw new Error(task.kind);
    const seen = new Set<number>();
    // A million lines, twenty thousand loads a call.
    for (let i = 0; i < 52; i++) seen.add(await task.iterate());
    expect(seen.size).toBe(52);
  });
});

test("both sides of the safety comparison walk the same trajectory while nothing intervenes", async () => {
  const task = await setupTask(
    { workload: "safety_overhead", category: "safety", params: { loop: "policy" }, runtime: "js", device: "cpu" },
    1,
  );
  if (task.kind !== "compare") throw new Error(task.kind);
  for (let i = 0; i < 50; i++) expect(await task.candidate()).toBe(await task.baseline());
});

describe("bad input is refused", () => {
  const benchmark = (workload: string, params: Benchmark["params"], runtime = "js"): Benchmark => ({
    workload,
    category: "rl",
    params,
    runtime,
    device: "cpu",
  });
  test.each([
    ["an unknown workload", benchmark("nothing", {}), "BENCHMARK_UNKNOWN"],
    ["an unknown environment", benchmark("environment_step", { env: "Nothing-v0" }), "BENCHMARK_UNKNOWN"],
    ["a missing parameter", benchmark("environment_step", {}), "BENCHMARK_UNKNOWN"],
    ["a parameter too many", benchmark("safety_overhead", { loop: "bare", speed: 3 }), "BENCHMARK_UNKNOWN"],
    ["a choice that isn't one", benchmark("safety_overhead", { loop: "open" }), "BENCHMARK_UNKNOWN"],
    ["a batch of half a row", benchmark("policy_forward", { batch: 0.5 }, "tfjs-wasm"), "BENCHMARK_UNKNOWN"],
    [
      "a size past all memory",
      benchmark("tensor_execution", { kernel: "sum_of_squares", size: 1e12 }, "tfjs-wasm"),
      "BENCHMARK_UNKNOWN",
    ],
    ["an unknown runtime", benchmark("policy_forward", { batch: 1 }, "cray"), "BENCHMARK_UNKNOWN"],
    [
      "compiling where nothing compiles",
      benchmark("jit_compile", { kernel: "sum_of_squares" }, "tfjs-wasm"),
      "RUNTIME_UNAVAILABLE",
    ],
  ])("%s", async (_, wrong, code) => {
    await expect(setupTask(wrong, 1)).rejects.toMatchObject({ code });
  });
});

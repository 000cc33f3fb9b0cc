import { environments } from "../environments/registry.js";
import { compileKernels } from "../workloads/jit-compile.js";
import { vectorKernels } from "../workloads/kernels.js";
import { findWorkload } from "../workloads/registry.js";
import type { Benchmark, Params } from "../workloads/workload.js";

/** A named list of benchmarks. Which of their runtimes a host has is decided when it runs. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  readonly benchmarks: readonly Benchmark[];
}

/** Runtimes by the device that their results are filed under, and whether they compile kernels. */
const tensorRuntimes = [
  { runtime: "jax-js", device: "cpu", compiles: true },
  { runtime: "tfjs-wasm", device: "cpu", compiles: false },
  { runtime: "tfjs-node", device: "cpu", compiles: false },
  { runtime: "tfjs-node-gpu", device: "gpu", compiles: false },
  { runtime: "webgpu", device: "gpu", compiles: true },
] as const;

const plainRuntime = { runtime: "js", device: "cpu" } as const;
const [jaxJs, tfjsWasm] = tensorRuntimes;
const sizes = [100, 1000, 10_000, 100_000];
const quickSizes = [1000, 100_000];

function describe(workload: string, params: Params, { runtime, device }: { runtime: string; device: string }): Benchmark {
  const { category, v8Flags } = findWorkload(workload);
  return { workload, category, params, runtime, device, ...(v8Flags === undefined ? {} : { v8Flags }) };
}

const plainBenchmarks: readonly Benchmark[] = [
  ...environments.map(({ id }) => describe("environment_step", { env: id }, plainRuntime)),
  describe("safety_overhead", { loop: "bare" }, plainRuntime),
  describe("safety_overhead", { loop: "policy" }, plainRuntime),
];
const memoryBenchmarks: readonly Benchmark[] = environments.map(({ id }) =>
  describe("episode_memory", { env: id, steps: 1000 }, plainRuntime),
);

const listExecutions = (on: (typeof tensorRuntimes)[number], chosen = sizes): Benchmark[] =>
  vectorKernels.flatMap((kernel) => chosen.map((size) => describe("tensor_execution", { kernel, size }, on)));

const listTensorBenchmarks = (on: (typeof tensorRuntimes)[number]): Benchmark[] => [
  describe("policy_forward", { batch: 1 }, on),
  describe("policy_forward", { batch: 256 }, on),
  describe("td3_bc_update", { batch: 256 }, on),
  ...(on.compiles ? compileKernels.map((kernel) => describe("jit_compile", { kernel }, on)) : []),
  ...listExecutions(on),
];

/** Every other runtime against jax-js, which every host has. */
const comparisons: readonly Benchmark[] = tensorRuntimes
  .filter((on) => on !== jaxJs)
  .flatMap((on) => [1, 256].map((batch) => describe("runtime_comparison", { against: jaxJs.runtime, batch }, on)));

const quick: Suite = {
  name: "quick",
  description: "At least one benchmark per KPI, on the CPU, in under a minute",
  benchmarks: [
    ...plainBenchmarks,
    ...[jaxJs, tfjsWasm].flatMap((on) => [1, 256].map((batch) => describe("policy_forward", { batch }, on))),
    describe("td3_bc_update", { batch: 256 }, jaxJs),
    ...["sum_of_squares", "sin_cos_chain", "td3_bc_update"].map((kernel) => describe("jit_compile", { kernel }, jaxJs)),
    ...listExecutions(jaxJs, quickSizes),
    ...memoryBenchmarks,
  ],
};

const full: Suite = {
  name: "full",
  description: "Every benchmark on every runtime that the host has",
  benchmarks: [...plainBenchmarks, ...tensorRuntimes.flatMap(listTensorBenchmarks), ...comparisons, ...memoryBenchmarks],
};

export const suites: readonly Suite[] = [quick, full];

export function findSuite(name: string): Suite | undefined {
  return suites.find((candidate) => candidate.name === name);
}

/** Every benchmark that exists: those of `full`, which holds all others. */
export function listBenchmarks(): readonly Benchmark[] {
  return full.benchmarks;
}

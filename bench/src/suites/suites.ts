import { environments, referenceEnvironment } from "../environments/registry.js";
import { vectorKernels } from "../programs/kernels.js";
import { jaxJs } from "../runtimes/jax-js.js";
import { runtimes } from "../runtimes/registry.js";
import type { Runtime } from "../runtimes/runtime.js";
import { tfjsNode } from "../runtimes/tfjs-node.js";
import { tfjsWasm } from "../runtimes/tfjs-wasm.js";
import { wasm } from "../runtimes/wasm.js";
import { allocationPatterns } from "../workloads/allocation.js";
import { compileKernels } from "../workloads/jit-compile.js";
import { findWorkload } from "../workloads/registry.js";
import type { Benchmark, Params } from "../workloads/workload.js";
import { listGpuBenchmarks } from "./gpu-suite.js";
import { listJaxBenchmarks } from "./jax-suite.js";
import { algorithms, batches, listUpdateParts, matmulSizes, vectorSizes } from "./sizes.js";

/** A named list of benchmarks. Which of their runtimes a host has is decided when it runs. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  readonly benchmarks: readonly Benchmark[];
  /** What each benchmark gets of time, in seconds, where no budget is given; default: 10. */
  readonly secondsEach?: number;
  /** Measured too where the host has their runtimes. */
  readonly optional?: readonly Benchmark[];
}

/** What benchmarks that execute no tensor code run on. */
const plain = { name: "js", devices: ["cpu"] } as const;

const quickSizes = [1000, 100_000];

/** A benchmark on the device that its runtime is made for; whether it is that one is known when it has run. */
export function describeBenchmark(
  workload: string,
  params: Params,
  { name, devices }: Pick<Runtime, "name" | "devices"> = plain,
): Benchmark {
  const { category, v8Flags } = findWorkload(workload);
  const benchmark = { workload, category, params, runtime: name, device: devices[0] };
  return v8Flags === undefined ? benchmark : { ...benchmark, v8Flags };
}

/** One step of each environment, and what the safety layer costs: of the reference environment where none is named. */
const listPlainBenchmarks = (ids: readonly string[]): Benchmark[] => [
  ...ids.map((env) => describeBenchmark("environment_step", { env })),
  describeBenchmark("safety_overhead", { loop: "bare" }),
  describeBenchmark("safety_overhead", { loop: "policy" }),
];
const listMemoryBenchmarks = (ids: readonly string[]): Benchmark[] =>
  ids.map((env) => describeBenchmark("episode_memory", { env, steps: 1000 }));
/** What each environment's step is made of, many environments in one call, and constraints by the batch. */
const listEnvironmentBenchmarks = (ids: readonly string[]): Benchmark[] =>
  ids.flatMap((env) => [
    ...["reset", "transition", "reward"].map((part) => describeBenchmark("environment_part", { env, part })),
    describeBenchmark("environment_vector_step", { env, count: 512 }),
    ...(env === referenceEnvironment ? [] : [describeBenchmark("safety_overhead", { loop: "bare", env })]),
    ...[64, 256, 1024].map((batch) => describeBenchmark("constraint_check", { env, batch })),
  ]);
const everyEnvironment = environments.map(({ id }) => id);

const listExecutions = (on: Runtime, chosen: readonly number[] = vectorSizes): Benchmark[] =>
  vectorKernels.flatMap((kernel) => chosen.map((size) => describeBenchmark("tensor_execution", { kernel, size }, on)));

const listPolicyBenchmarks = (on: Runtime): Benchmark[] => [
  ...[1, 256].map((batch) => describeBenchmark("policy_forward", { batch }, on)),
  ...["cold", "warmed"].map((start) => describeBenchmark("first_action", { start }, on)),
];

const listTensorBenchmarks = (on: Runtime): Benchmark[] => [
  ...listPolicyBenchmarks(on),
  ...algorithms.flatMap((algorithm) => batches.map((batch) => describeBenchmark(`${algorithm}_update`, { batch }, on))),
  ...listUpdateParts().map((params) => describeBenchmark("update_part", params, on)),
  ...(on.compiles ? compileKernels.map((kernel) => describeBenchmark("jit_compile", { kernel }, on)) : []),
  ...listExecutions(on),
  ...matmulSizes.map((n) => describeBenchmark("matmul", { n }, on)),
];

/** Every other runtime against jax-js, which every host has. */
const comparisons: readonly Benchmark[] = runtimes
  .filter((on) => on !== jaxJs)
  .flatMap((on) => [1, 256].map((batch) => describeBenchmark("runtime_comparison", { against: jaxJs.name, batch }, on)));

const quick: Suite = {
  name: "quick",
  description: "At least one benchmark per KPI, on the CPU, in under a minute",
  benchmarks: [
    ...listPlainBenchmarks([referenceEnvironment]),
    ...[jaxJs, tfjsWasm].flatMap((on) => [1, 256].map((batch) => describeBenchmark("policy_forward", { batch }, on))),
    describeBenchmark("policy_forward", { batch: 1 }, wasm),
    describeBenchmark("td3_bc_update", { batch: 256 }, jaxJs),
    ...["sum_of_squares", "sin_cos_chain", "td3_bc_update"].map((kernel) => describeBenchmark("jit_compile", { kernel }, jaxJs)),
    ...listExecutions(jaxJs, quickSizes),
    ...listMemoryBenchmarks([referenceEnvironment]),
  ],
  // Native libraries, which train several times as fast.
  optional: [
    describeBenchmark("td3_bc_update", { batch: 256 }, tfjsNode),
    describeBenchmark("policy_forward", { batch: 256 }, tfjsNode),
    ...["td3_bc_update", "policy_forward"].flatMap((name) =>
      listJaxBenchmarks().filter(({ workload, params }) => workload === name && params.batch === 256),
    ),
  ],
};

/** What the machine can do, and what allocating on it costs. */
const machineBenchmarks: readonly Benchmark[] = [
  ...["integer", "float", "latency"].map((kernel) => describeBenchmark("cpu_reference", { kernel })),
  ...["copy", "scale", "add", "triad"].map((kernel) => describeBenchmark("memory_bandwidth", { kernel, mib: 128 })),
  ...allocationPatterns.map((pattern) => describeBenchmark("allocation", { pattern })),
  ...[1, 200].map((heap_mb) => describeBenchmark("step_under_garbage", { heap_mb })),
];

const dataBenchmarks: readonly Benchmark[] = [
  ...everyEnvironment.map((env) => describeBenchmark("dataset_make", { env, quality: "expert" })),
  ...batches.map((batch) => describeBenchmark("buffer_sample", { batch })),
];

const full: Suite = {
  name: "full",
  description: "Every benchmark on every runtime that the host has",
  benchmarks: [
    ...listPlainBenchmarks(everyEnvironment),
    ...listEnvironmentBenchmarks(everyEnvironment),
    ...runtimes.flatMap((on) => (on.runsPoliciesOnly ? listPolicyBenchmarks(on) : listTensorBenchmarks(on))),
    ...listJaxBenchmarks(),
    ...comparisons,
    ...dataBenchmarks,
    ...machineBenchmarks,
    ...listMemoryBenchmarks(everyEnvironment),
  ],
};

const gpu: Suite = {
  name: "gpu",
  description: "What each card does by the library that the host has: launches, products, memory, copies, sustained load",
  benchmarks: listGpuBenchmarks(),
  // A library and its card take five seconds to begin.
  secondsEach: 25,
};

export const suites: readonly Suite[] = [quick, full, gpu];

export function findSuite(name: string): Suite | undefined {
  return suites.find((candidate) => candidate.name === name);
}

/** Every benchmark of the host's own code: those of `full`, which holds all but the cards'. */
export function listBenchmarks(): readonly Benchmark[] {
  return full.benchmarks;
}

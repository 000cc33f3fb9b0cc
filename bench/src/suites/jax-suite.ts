import { vectorKernels } from "../programs/kernels.js";
import { choosePython, jaxProgram, pythonJax } from "../runtimes/python-jax.js";
import { compileKernels } from "../workloads/jit-compile.js";
import type { Benchmark, Params } from "../workloads/workload.js";
import { algorithms, batches, listUpdateParts, matmulSizes, vectorSizes } from "./sizes.js";

/*
 * The tensor benchmarks by the host's own JAX: python/jax_suite.py says what each does. Names and parameters that other
 * runtimes have too mean the same work there.
 */

type Entry = readonly [name: string, category: Benchmark["category"], params: Params];

const entries: readonly Entry[] = [
  ...[1, 256].map((batch): Entry => ["policy_forward", "rl", { batch }]),
  ...["cold", "warmed"].map((start): Entry => ["first_action", "rl", { start }]),
  ...algorithms.flatMap((algorithm) => batches.map((batch): Entry => [`${algorithm}_update`, "rl", { batch }])),
  ...listUpdateParts().map((params): Entry => ["update_part", "rl", params]),
  ...compileKernels.map((kernel): Entry => ["jit_compile", "jax", { kernel }]),
  ...vectorKernels.flatMap((kernel) => vectorSizes.map((size): Entry => ["tensor_execution", "jax", { kernel, size }])),
  ...matmulSizes.map((n): Entry => ["matmul", "jax", { n }]),
  ...["vmap", "loop"].map((form): Entry => ["batched_call", "jax", { form, batch: 64 }]),
  ...["warm", "cleared"].map((state): Entry => ["cached_call", "jax", { state }]),
  ...["stored", "checkpointed"].map((form): Entry => ["deep_gradient", "jax", { form }]),
];

/** On the host's CPU, whatever cards it has; `listGpuBenchmarks` has those that are measured on cards. */
export function listJaxBenchmarks(): readonly Benchmark[] {
  const command = { program: choosePython(), args: [jaxProgram, "--platform", "cpu"], isOurs: true };
  return entries.map(([workload, category, params]) => ({
    workload,
    category,
    params,
    runtime: pythonJax.name,
    device: "cpu",
    command,
  }));
}

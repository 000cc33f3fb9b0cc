import { choosePython, findPythonProgram, jaxProgram } from "../runtimes/python-jax.js";
import type { Benchmark, Params } from "../workloads/workload.js";

/*
 * What is measured of a card, by whichever of the field's libraries its host has: python/gpu_suite.py says what each
 * benchmark does. A library that is not there, or sees no GPU, fails its benchmarks with the reason.
 */

const script = findPythonProgram("gpu_suite.py");

const gemm = (dtype: string, n = 8192): readonly [string, Params] => ["gpu_gemm", { dtype, n }];

const everywhere: readonly (readonly [string, Params])[] = [
  ["gpu_launch", {}],
  gemm("f32"),
  gemm("tf32"),
  gemm("fp16"),
  ["gpu_triad", { mib: 1024 }],
  ["gpu_copy", { direction: "h2d", mib: 256 }],
  ["gpu_copy", { direction: "d2h", mib: 256 }],
];
const check: readonly [string, Params] = ["gpu_check", { n: 4096 }];

/** What short tests miss: a card that gets hot. It comes last, and heats nothing else up. */
const sustainedS = 60;
const sustained: readonly [string, Params] = ["gpu_sustained", { dtype: "bf16", n: 8192, seconds: sustainedS }];

/** What each library can do. */
const libraries: Readonly<Record<string, readonly (readonly [string, Params])[]>> = {
  torch: [...everywhere, ["gpu_copy", { direction: "d2d", mib: 1024 }], gemm("bf16"), gemm("fp8"), check],
  jax: [...everywhere, gemm("bf16"), check],
  cupy: [...everywhere, check],
};

/** What is measured on the CPU too, on a card. */
const learning: readonly (readonly [string, Params])[] = [
  ["policy_forward", { batch: 1 }],
  ["policy_forward", { batch: 256 }],
  ...["td3_bc", "iql", "cql"].map((each): [string, Params] => [`${each}_update`, { batch: 256 }]),
];

function describe(library: string, [workload, params]: readonly [string, Params]): Benchmark {
  const command = { program: choosePython(), args: [script, "--library", library, "--require-gpu"] };
  return { workload, category: "gpu", params, runtime: library, device: "gpu", command };
}

function describeLearning([workload, params]: readonly [string, Params]): Benchmark {
  const command = { program: choosePython(), args: [jaxProgram, "--require-gpu"] };
  return { workload, category: "rl", params, runtime: "jax", device: "gpu", command };
}

/** On the library's own choice of card, until cards are known. */
export function listGpuBenchmarks(): readonly Benchmark[] {
  const short = Object.entries(libraries).flatMap(([library, all]) => all.map((each) => describe(library, each)));
  return [...short, ...learning.map(describeLearning), { ...describe("torch", sustained), lastsS: sustainedS }];
}

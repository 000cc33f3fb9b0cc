import { fileURLToPath } from "node:url";
import type { Benchmark, Params } from "../workloads/workload.js";

/*
 * What is measured of a card, by whichever of the field's libraries its host has: python/gpu_suite.py says what each
 * benchmark does. A library that is not there, or sees no GPU, fails its benchmarks with the reason.
 */

/** Lies beside `src` and `dist`. */
const script = fileURLToPath(new URL("../../python/gpu_suite.py", import.meta.url));

/** The Python that has the libraries. */
function choosePython(): string {
  return process.env.FLEETMARK_PYTHON || "python3";
}

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
  jax: [
    ...everywhere,
    gemm("bf16"),
    check,
    ["policy_forward", { batch: 1 }],
    ["policy_forward", { batch: 256 }],
    ["td3_bc_update", { batch: 256 }],
  ],
  cupy: [...everywhere, check],
};

/** What is measured on other runtimes too. */
const ownCategories: Readonly<Record<string, Benchmark["category"]>> = { policy_forward: "rl", td3_bc_update: "rl" };

function describe(library: string, [workload, params]: readonly [string, Params]): Benchmark {
  const args = [script, "--library", library, "--require-gpu"];
  const category = ownCategories[workload] ?? "gpu";
  return { workload, category, params, runtime: library, device: "gpu", command: { program: choosePython(), args } };
}

/** On the library's own choice of card, until cards are known. */
export function listGpuBenchmarks(): readonly Benchmark[] {
  const short = Object.entries(libraries).flatMap(([library, all]) => all.map((each) => describe(library, each)));
  return [...short, { ...describe("torch", sustained), lastsS: sustainedS }];
}

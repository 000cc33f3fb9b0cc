import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { loadRuntime } from "../runtimes/registry.js";
import { allocation, stepUnderGarbage } from "./allocation.js";
import { bufferSample, datasetMake } from "./dataset-workloads.js";
import { constraintCheck, environmentPart } from "./environment-part.js";
import { environmentStep, environmentVectorStep } from "./environment-step.js";
import { episodeMemory } from "./episode-memory.js";
import { jitCompile } from "./jit-compile.js";
import { cqlUpdate, iqlUpdate, td3BcUpdate, updatePart } from "./learner-updates.js";
import { firstAction, policyForward } from "./policy-forward.js";
import { cpuReference, memoryBandwidth } from "./reference-workloads.js";
import { runtimeComparison } from "./runtime-comparison.js";
import { safetyOverhead } from "./safety-overhead.js";
import { matmul, tensorExecution } from "./tensor-execution.js";
import type { Benchmark, Task, Workload } from "./workload.js";

/** Every workload: to add one, write its file and list it here. Importing this loads no tensor library. */
export const workloads: readonly Workload[] = [
  environmentStep,
  environmentVectorStep,
  environmentPart,
  constraintCheck,
  safetyOverhead,
  policyForward,
  firstAction,
  td3BcUpdate,
  iqlUpdate,
  cqlUpdate,
  updatePart,
  bufferSample,
  datasetMake,
  jitCompile,
  matmul,
  tensorExecution,
  episodeMemory,
  allocation,
  stepUnderGarbage,
  memoryBandwidth,
  cpuReference,
  runtimeComparison,
];

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest workload, or all that exist */
export function findWorkload(name: string): Workload {
  const workload = workloads.find((candidate) => candidate.name === name);
  if (workload === undefined) {
    const names = workloads.map((known) => known.name);
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `no workload ${name}; ${suggest(name, names)}`);
  }
  return workload;
}

/**
 * Prepares a benchmark's task, its runtime loaded where it needs one.
 * @throws FleetmarkError BENCHMARK_UNKNOWN for names and parameters that don't exist, RUNTIME_UNAVAILABLE
 */
export async function setupTask(benchmark: Benchmark, seed: number): Promise<Task> {
  const workload = findWorkload(benchmark.workload);
  const runtime = workload.needsRuntime ? await loadRuntime(benchmark.runtime) : undefined;
  const task = await workload.setup({ params: benchmark.params, seed, runtime });
  return runtime === undefined ? task : { ...task, device: runtime.device };
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { createVectorProgram, vectorKernels } from "../programs/kernels.js";
import { createLearnerProgram } from "../programs/learner.js";
import { choosePolicyWidths, createPolicyProgram } from "../programs/policy.js";
import type { Program } from "../programs/program.js";
import type { TensorRuntime } from "../runtimes/runtime.js";
import { checkParamNames, readChoice, requireRuntime } from "./params.js";
import type { Workload } from "./workload.js";

export const compileKernels = [...vectorKernels, "policy_forward", "td3_bc_update"] as const;

/** Elements of a vector kernel's input, and rows of the other kernels'. */
const vectorSize = 10_000;
const batchSize = 256;

function createKernel(runtime: TensorRuntime, kernel: (typeof compileKernels)[number], seed: number): Program {
  if (kernel === "policy_forward") return createPolicyProgram(runtime, choosePolicyWidths(), batchSize, seed);
  if (kernel === "td3_bc_update") return createLearnerProgram(runtime, "td3_bc", batchSize, seed);
  return createVectorProgram(runtime, kernel, vectorSize, seed);
}

/**
 * The first call traces, generates and compiles; runtimes cache kernels by content, so that it takes a fresh process
 * each time.
 */
export const jitCompile: Workload = {
  name: "jit_compile",
  category: "jax",
  description: "First call of a fresh kernel minus its steady call",
  needsRuntime: true,
  async setup(context) {
    checkParamNames("jit_compile", context.params, ["kernel"]);
    const runtime = requireRuntime(context);
    if (!runtime.compiles) {
      throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${runtime.name} executes eagerly: it has no compile time to measure`);
    }
    const kernel = readChoice(context.params, "kernel", compileKernels);
    const { iterate, dispose } = createKernel(runtime, kernel, context.seed);
    return {
      kind: "first-call",
      processed: { unit: "calls", perIteration: 1 },
      metadata: { vector_size: vectorSize, batch_size: batchSize },
      call: iterate,
      teardown: dispose,
    };
  },
};

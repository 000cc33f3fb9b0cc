import { choosePolicyWidths, createPolicyProgram } from "../programs/policy.js";
import { checkParamNames, readCount, requireRuntime } from "./params.js";
import { controlPeriodS, optimizeWasmAtOnce, type Workload } from "./workload.js";

/** A policy's forward pass as a controller meets it: observations to the device, actions back. */
export const policyForward: Workload = {
  name: "policy_forward",
  category: "rl",
  description: "Forward pass of a policy with two hidden layers of 256, observations uploaded and actions read back",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("policy_forward", context.params, ["batch"]);
    const batch = readCount(context.params, "batch");
    const widths = choosePolicyWidths();
    const { iterate, dispose } = createPolicyProgram(requireRuntime(context), widths, batch, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "passes", perIteration: batch },
      metadata: { network: widths.join("-"), includes_transfer: true },
      // A batch is for training; a controller acts on one observation.
      ...(batch === 1 ? { deadlineS: controlPeriodS } : {}),
      iterate,
      teardown: dispose,
    };
  },
};

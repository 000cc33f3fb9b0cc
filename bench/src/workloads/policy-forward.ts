import { checkParamNames, readCount } from "./params.js";
import { createPolicyProgram, policyWidths } from "./policy.js";
import { takeRuntime } from "./program.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

/** A policy's forward pass as a controller meets it: observations to the device, actions back. */
export const policyForward: Workload = {
  name: "policy_forward",
  category: "rl",
  description: "Forward pass of a 12→256→256→3 policy, observations uploaded and actions read back",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("policy_forward", context.params, ["batch"]);
    const batch = readCount(context.params, "batch");
    const { iterate, dispose } = createPolicyProgram(takeRuntime(context), batch, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "passes", perIteration: batch },
      metadata: { network: policyWidths.join("-"), includes_transfer: true },
      iterate,
      teardown: dispose,
    };
  },
};

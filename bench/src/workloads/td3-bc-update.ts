import { referenceEnvironment } from "../environments/registry.js";
import { createLearnerProgram, learnerPolicyDelay, learnerTransitions } from "./learner.js";
import { checkParamNames, readCount } from "./params.js";
import { requireRuntime } from "./program.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

/** Training throughput: sampling a batch, uploading it, and one full update of twin critics, actor and targets. */
export const td3BcUpdate: Workload = {
  name: "td3_bc_update",
  category: "rl",
  description: "One full TD3+BC update: batch sampled and uploaded, twin critics, actor, targets, loss read back",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("td3_bc_update", context.params, ["batch"]);
    const batch = readCount(context.params, "batch");
    const { iterate, dispose } = createLearnerProgram(requireRuntime(context), batch, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "transitions", perIteration: batch },
      metadata: { env: referenceEnvironment, buffer: learnerTransitions, policy_delay: learnerPolicyDelay, network: "256-256" },
      iterate,
      teardown: dispose,
    };
  },
};

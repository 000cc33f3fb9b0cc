import type { Metadata } from "@fleetmark/shared/model/result";
import { cqlDefaults } from "../algorithms/cql.js";
import { referenceEnvironment } from "../environments/registry.js";
import {
  type Algorithm,
  algorithms,
  createLearnerProgram,
  createUpdatePartProgram,
  learnerPolicyDelay,
  learnerTransitions,
  updateParts,
} from "../programs/learner.js";
import { checkParamNames, readChoice, readCount, requireRuntime } from "./params.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

/** Makes the workload of an algorithm: sampling a batch, uploading it, one full update, the critics' loss read back. */
function defineUpdate(algorithm: Algorithm, description: string, facts: Metadata): Workload {
  const name = `${algorithm}_update`;
  return {
    name,
    category: "rl",
    description,
    needsRuntime: true,
    v8Flags: optimizeWasmAtOnce,
    async setup(context) {
      checkParamNames(name, context.params, ["batch"]);
      const batch = readCount(context.params, "batch");
      const { iterate, dispose } = createLearnerProgram(requireRuntime(context), algorithm, batch, context.seed);
      return {
        kind: "repeat",
        processed: { unit: "transitions", perIteration: batch },
        metadata: { env: referenceEnvironment, buffer: learnerTransitions, ...facts, network: "256-256" },
        iterate,
        teardown: dispose,
      };
    },
  };
}

/** Training throughput. */
export const td3BcUpdate = defineUpdate(
  "td3_bc",
  "One full TD3+BC update: batch sampled and uploaded, twin critics, actor, targets, loss read back",
  { policy_delay: learnerPolicyDelay },
);

export const iqlUpdate = defineUpdate(
  "iql",
  "One full IQL update: batch sampled and uploaded, value, actor, twin critics, targets, loss read back",
  {},
);

export const cqlUpdate = defineUpdate(
  "cql",
  "One full CQL update: batch sampled and uploaded, temperature, actor, twin critics over 30 drawn actions, targets, loss read back",
  { sampled_actions: cqlDefaults.sampledActions },
);

/** What an update is made of, on a batch that is on the device. */
export const updatePart: Workload = {
  name: "update_part",
  category: "rl",
  description: "A part of an update by itself: twin critics moved, their gradients alone, or gradients applied by Adam",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("update_part", context.params, ["algorithm", "part", "batch"]);
    const algorithm = readChoice(context.params, "algorithm", algorithms);
    const part = readChoice(context.params, "part", updateParts);
    const batch = readCount(context.params, "batch");
    const { iterate, dispose } = createUpdatePartProgram(requireRuntime(context), algorithm, part, batch, context.seed);
    return {
      kind: "repeat",
      processed: { unit: "transitions", perIteration: batch },
      metadata: { env: referenceEnvironment, network: "256-256" },
      iterate,
      teardown: dispose,
    };
  },
};

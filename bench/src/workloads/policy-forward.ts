import { choosePolicyWidths, createPolicyProgram } from "../programs/policy.js";
import { checkParamNames, readChoice, readCount, requireRuntime } from "./params.js";
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

/** Actions that a controller takes on nothing before it goes to work. */
const warmUps = 50;

/** What the first action of a controller costs more than the next: once a process, as a controller is started. */
export const firstAction: Workload = {
  name: "first_action",
  category: "rl",
  description: "The first action of a policy in a fresh process minus the next one, cold or after a warm-up",
  needsRuntime: true,
  async setup(context) {
    checkParamNames("first_action", context.params, ["start"]);
    const start = readChoice(context.params, "start", ["cold", "warmed"]);
    const widths = choosePolicyWidths();
    const { iterate, dispose } = createPolicyProgram(requireRuntime(context), widths, 1, context.seed);
    for (let i = 0; i < warmUps && start === "warmed"; i++) await iterate();
    return {
      kind: "first-call",
      processed: { unit: "calls", perIteration: 1 },
      metadata: { network: widths.join("-"), warm_ups: start === "warmed" ? warmUps : 0 },
      call: iterate,
      teardown: dispose,
    };
  },
};

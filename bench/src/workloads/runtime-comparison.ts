import { choosePolicyWidths, createPolicyProgram } from "../programs/policy.js";
import { loadRuntime, runtimes } from "../runtimes/registry.js";
import { checkParamNames, readChoice, readCount, requireRuntime } from "./params.js";
import { optimizeWasmAtOnce, type Workload } from "./workload.js";

/**
 * One runtime against another on the same policy, CPU against GPU among them, in one process and in turns: a machine
 * that slows down meanwhile slows both. 100 % means that the runtime takes twice as long as the one that it is held
 * `against`, -50 % half as long.
 */
export const runtimeComparison: Workload = {
  name: "runtime_comparison",
  category: "rl",
  description: "Forward pass of the policy on one runtime against the same pass on another",
  needsRuntime: true,
  v8Flags: optimizeWasmAtOnce,
  async setup(context) {
    checkParamNames("runtime_comparison", context.params, ["against", "batch"]);
    const batch = readCount(context.params, "batch");
    const names = runtimes.map(({ name }) => name);
    const against = await loadRuntime(readChoice(context.params, "against", names));
    const widths = choosePolicyWidths();
    const baseline = createPolicyProgram(against, widths, batch, context.seed);
    const candidate = createPolicyProgram(requireRuntime(context), widths, batch, context.seed);
    return {
      kind: "compare",
      processed: { unit: "passes", perIteration: batch },
      metadata: { network: widths.join("-"), against_device: against.device },
      baseline: baseline.iterate,
      candidate: candidate.iterate,
      teardown: () => {
        candidate.dispose();
        baseline.dispose();
      },
    };
  },
};

import { createLayers, createPlainPolicy, type PlainPolicy } from "../algorithms/networks.js";
import { createRandom } from "../environments/random.js";
import { createEnvironment, findPlant, referenceEnvironment } from "../environments/registry.js";
import { choosePolicyWidths } from "../programs/policy.js";
import { checkParamNames, readChoice } from "./params.js";
import { compileInLine, type Workload } from "./workload.js";

/**
 * How far the network moves the controller's action: residual policy learning (Silver et al. 2018; Johannink et al.
 * 2019).
 */
const residualScale = 0.02;

/** Makes one side of the comparison: a controller and an environment of its own, advanced by one step per call. */
function createLoop(env: string, checkConstraints: boolean, usesPolicy: boolean, seed: number): () => number {
  const environment = createEnvironment(env, { checkConstraints });
  const { low, high } = environment.observationSpace;
  const widths = choosePolicyWidths(env);
  const policy: PlainPolicy | undefined = usesPolicy ? createPlainPolicy(createLayers(widths, createRandom(seed))) : undefined;
  const action = new Float64Array(environment.actionSpace.low.length);
  const input = new Float64Array(low.length);
  const { observation } = environment.reset(seed);
  let episode = seed;
  return () => {
    environment.suggestAction(action);
    if (policy !== undefined) {
      for (let i = 0; i < input.length; i++) input[i] = (2 * (observation[i] - low[i])) / (high[i] - low[i]) - 1;
      const residual = policy(input);
      for (let i = 0; i < action.length; i++) action[i] += residualScale * residual[i];
    }
    const outcome = environment.step(action);
    if (outcome.terminated || outcome.truncated) environment.reset(++episode);
    return outcome.reward;
  };
}

/**
 * What safety validation costs: the same closed loop without and with the safety layer (environments/safety.ts): rate
 * limits, a predictive barrier check per constraint by one evaluation of the plant's model, state constraints and
 * soft-constraint cost. Both refuse actions that are not finite, clip to actuator limits, and end episodes that leave
 * the model's envelope. `loop=bare` has only the environment's linear controller in the loop, so that the share of the
 * checks in a step is seen; `loop=policy` adds the forward pass of a 256×256 network in plain JavaScript, as a
 * controller would run it.
 */
export const safetyOverhead: Workload = {
  name: "safety_overhead",
  category: "safety",
  description: "A step with the safety layer against the same step without it",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    // The reference environment goes without saying.
    checkParamNames("safety_overhead", params, params.env === undefined ? ["loop"] : ["loop", "env"]);
    const env = findPlant(String(params.env ?? referenceEnvironment)).id;
    const usesPolicy = readChoice(params, "loop", ["bare", "policy"]) === "policy";
    return {
      kind: "compare",
      processed: { unit: "steps", perIteration: 1 },
      metadata: { env, policy: usesPolicy ? choosePolicyWidths(env).join("-") : "none" },
      baseline: createLoop(env, false, usesPolicy, seed),
      candidate: createLoop(env, true, usesPolicy, seed),
      teardown: () => {},
    };
  },
};

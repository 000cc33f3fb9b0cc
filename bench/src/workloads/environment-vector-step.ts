import { createVectorEnvironment } from "../environments/vector-registry.js";
import { checkParamNames, readCount } from "./params.js";
import { compileInLine, type Workload } from "./workload.js";

/** Steps after which the recorded actions begin anew. */
const recorded = 64;

/**
 * One step of many environments in one call, with constraint checking. The actions are recorded beforehand, under the
 * environments' own controllers; what has ended begins anew by itself.
 */
export const environmentVectorStep: Workload = {
  name: "environment_vector_step",
  category: "environment",
  description: "One step of many environments in one call, with constraint checking and resets",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("environment_vector_step", params, ["env", "count"]);
    const count = readCount(params, "count");
    const vector = createVectorEnvironment(String(params.env), count, { checkConstraints: true });
    vector.reset(seed);
    const all = Array.from({ length: recorded }, () => {
      const actions = new Float64Array(count * vector.actionLength);
      vector.suggestActions(actions);
      vector.step(actions);
      return actions;
    });
    vector.reset(seed);
    let next = 0;
    return {
      kind: "repeat",
      processed: { unit: "steps", perIteration: count },
      metadata: {
        observations: vector.observationLength,
        actions: vector.actionLength,
        implementation: vector.implementation,
        recorded_steps: recorded,
      },
      iterate: () => {
        const { rewards } = vector.step(all[next]);
        next = (next + 1) % recorded;
        return rewards[0];
      },
      teardown: () => {},
    };
  },
};

import { createRandom, drawNormal } from "../environments/random.js";
import { createEnvironment } from "../environments/registry.js";
import { createVectorEnvironment } from "../environments/vector-registry.js";
import { checkParamNames, readCount } from "./params.js";
import { compileInLine, controlPeriodS, type Workload } from "./workload.js";

/** Standard deviation of the noise on the controller's actions. */
const noise = 0.05;

/**
 * One step of the environment with constraint checking. The actions are recorded beforehand: one episode under the
 * environment's own controller with seeded noise. Every episode begins from that episode's seed and so repeats it.
 */
export const environmentStep: Workload = {
  name: "environment_step",
  category: "environment",
  description: "One environment step with constraint checking, resets included",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("environment_step", params, ["env"]);
    const environment = createEnvironment(String(params.env), { checkConstraints: true });
    const random = createRandom(seed);
    const actions: Float64Array[] = [];
    environment.reset(seed);
    for (let ended = false; !ended; ) {
      const action = new Float64Array(environment.actionSpace.low.length);
      environment.suggestAction(action);
      for (let i = 0; i < action.length; i++) action[i] += noise * drawNormal(random);
      actions.push(action);
      const { terminated, truncated } = environment.step(action);
      ended = terminated || truncated;
    }
    environment.reset(seed);
    let next = 0;
    return {
      kind: "repeat",
      processed: { unit: "steps", perIteration: 1 },
      metadata: {
        observations: environment.observationSpace.low.length,
        actions: environment.actionSpace.low.length,
        episode_steps: actions.length,
      },
      deadlineS: controlPeriodS,
      iterate: () => {
        const outcome = environment.step(actions[next++]);
        if (outcome.terminated || outcome.truncated) {
          environment.reset(seed);
          next = 0;
        }
        return outcome.reward;
      },
      teardown: () => {},
    };
  },
};

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

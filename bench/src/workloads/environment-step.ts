import { createRandom, drawNormal } from "../environments/random.js";
import { createEnvironment } from "../environments/registry.js";
import { checkParamNames } from "./params.js";
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

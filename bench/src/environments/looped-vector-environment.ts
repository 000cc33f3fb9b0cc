import { type Environment, type EnvironmentDefinition, type EnvironmentOptions, readSizes } from "./environment.js";
import { checkActions, type VectorEnvironment } from "./vector-environment.js";

/** Makes so many environments that are stepped one after the other: what compiled ones must agree with. */
export function createLoopedEnvironment(
  { id, create }: EnvironmentDefinition,
  count: number,
  options: EnvironmentOptions,
): VectorEnvironment {
  const all: readonly Environment[] = Array.from({ length: count }, () => create(options));
  const { observationLength, actionLength } = readSizes(all[0]);
  const observations = new Float64Array(count * observationLength);
  const rewards = new Float64Array(count);
  const [terminated, truncated, isOver] = Array.from({ length: 3 }, () => new Uint8Array(count));
  const transition = { observations, rewards, terminated, truncated };
  const actions = Array.from({ length: count }, () => new Float64Array(actionLength));
  let nextSeed = 0;
  const begin = (i: number): void => {
    observations.set(all[i].reset(nextSeed++).observation, i * observationLength);
    isOver[i] = 0;
  };
  return {
    count,
    observationLength,
    actionLength,
    implementation: "loop",
    reset(seed) {
      nextSeed = seed;
      for (let i = 0; i < count; i++) begin(i);
      return observations;
    },
    step(wanted) {
      checkActions(id, wanted, count, actionLength);
      for (let i = 0; i < count; i++) {
        if (isOver[i] === 1) {
          begin(i);
          rewards[i] = terminated[i] = truncated[i] = 0;
          continue;
        }
        const action = actions[i];
        for (let k = 0; k < actionLength; k++) action[k] = wanted[i * actionLength + k];
        const outcome = all[i].step(action);
        observations.set(outcome.observation, i * observationLength);
        rewards[i] = outcome.reward;
        terminated[i] = Number(outcome.terminated);
        truncated[i] = Number(outcome.truncated);
        isOver[i] = terminated[i] | truncated[i];
      }
      return transition;
    },
    suggestActions(suggested) {
      for (let i = 0; i < count; i++) {
        all[i].suggestAction(actions[i]);
        suggested.set(actions[i], i * actionLength);
      }
    },
  };
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Environment, type EnvironmentOptions, readSizes } from "./environment.js";
import { createEnvironment } from "./registry.js";

/** The outcome of a step of all. Reused: the same arrays are returned by every call. */
export interface VectorTransition {
  /** One environment after the other: count × numbers of an observation. */
  readonly observations: Float64Array;
  readonly rewards: Float64Array;
  /** 1 where an episode ended so, else 0. */
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
}

/**
 * Several environments of one kind that are stepped in one call, by Gymnasium's semantics of vector environments
 * (Towers et al. 2024) with its autoreset mode NEXT_STEP: the step after the end of an episode begins the next one. It
 * ignores the action, earns nothing, and gives the first observation.
 */
export interface VectorEnvironment {
  readonly count: number;
  readonly observationLength: number;
  readonly actionLength: number;
  /** Begins an episode in each; equal seeds and equal actions give equal episodes. Returns the observations, reused. */
  reset(seed: number): Float64Array;
  /**
   * Advances each by one control interval.
   * @param actions one environment's after the other: count × numbers of an action
   * @throws FleetmarkError ACTION_INVALID for a wrong number of them, or a number that is not finite
   */
  step(actions: Float64Array): VectorTransition;
  /** Writes the actions of each environment's own controller. */
  suggestActions(actions: Float64Array): void;
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the environments that exist */
export function createVectorEnvironment(id: string, count: number, options: EnvironmentOptions): VectorEnvironment {
  const all: readonly Environment[] = Array.from({ length: count }, () => createEnvironment(id, options));
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
    reset(seed) {
      nextSeed = seed;
      for (let i = 0; i < count; i++) begin(i);
      return observations;
    },
    step(wanted) {
      if (wanted.length !== count * actionLength) {
        const message = `${wanted.length} numbers as actions of ${count} × ${id} (they take ${count * actionLength})`;
        throw new FleetmarkError("ACTION_INVALID", message);
      }
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

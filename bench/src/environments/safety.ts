import type { Constraint, Limits, Plant } from "../plants/plant.js";
import { advance } from "./integrator.js";

/**
 * The safety layer between a policy and a plant, as an industrial controller has it. Per step it does the following:
 * 1. rate limits: each action dimension may move by at most `actionRate` per interval;
 * 2. a predictive barrier check: the plant's own rates at the present state predict the next observation (one explicit
 *    Euler step over the whole interval); for each constraint the margin h to its hard limits must satisfy the
 *    discrete-time control barrier condition h(next) >= (1 - decay) h(now) (Agrawal & Sreenath 2017, "Discrete Control
 *    Barrier Functions for Safety-Critical Control of Discrete Systems", definition 4), else the plant's fallback
 *    action takes over;
 * 3. after the step, state constraints: a hard one ends the episode, soft ones add up to a cost.
 * It does not solve for the closest safe action, and it predicts without the coming disturbance.
 */
export interface SafetyLayer {
  /** Replaces `action` in place where it must be. Returns whether the fallback took over. */
  filterAction(state: Float64Array, observation: Float64Array, before: Float64Array, action: Float64Array): boolean;
}

/** Share of its margin that a constraint may lose in one interval. */
const decay = 0.1;

/** Returns the distance to the nearer hard limit: negative outside. */
function measureMargin({ index, hardLow, hardHigh }: Limits, observation: Float64Array): number {
  return Math.min(observation[index] - hardLow, hardHigh - observation[index]);
}

export function createSafetyLayer(plant: Plant): SafetyLayer {
  const { actionRate, fallbackAction, constraints, interval } = plant;
  const rates = new Float64Array(plant.initialState.length);
  const nextState = new Float64Array(plant.initialState.length);
  const nextObservation = new Float64Array(plant.observationSpace.low.length);
  return {
    filterAction(state, observation, before, action) {
      for (let i = 0; i < action.length; i++) {
        action[i] = Math.min(Math.max(action[i], before[i] - actionRate[i]), before[i] + actionRate[i]);
      }
      plant.computeRates(state, action, rates);
      advance(state, rates, interval, nextState);
      plant.projectState(nextState);
      plant.observe(nextState, nextObservation);
      for (let i = 0; i < constraints.length; i++) {
        const margin = measureMargin(constraints[i], observation);
        if (measureMargin(constraints[i], nextObservation) < (1 - decay) * margin) {
          action.set(fallbackAction);
          return true;
        }
      }
      return false;
    },
  };
}

/** Returns the name of the first quantity whose hard limits the observation violates, or "". */
export function findViolation(limits: readonly Limits[], observation: Float64Array): string {
  for (let i = 0; i < limits.length; i++) {
    const { name, index, hardLow, hardHigh } = limits[i];
    if (!(observation[index] >= hardLow && observation[index] <= hardHigh)) return name;
  }
  return "";
}

/**
 * Returns the sum over soft limits of the excess, each as a fraction of the distance from the soft to the hard limit.
 */
export function computeCost(constraints: readonly Constraint[], observation: Float64Array): number {
  let cost = 0;
  for (let i = 0; i < constraints.length; i++) {
    const { index, hardLow, softLow, softHigh, hardHigh } = constraints[i];
    const value = observation[index];
    if (value > softHigh) cost += (value - softHigh) / (hardHigh - softHigh);
    else if (value < softLow) cost += (softLow - value) / (softLow - hardLow);
  }
  return cost;
}

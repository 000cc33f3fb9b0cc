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
  /** Replaces `action` where it must be, by what was assessed before. Returns whether the fallback took over. */
  filterAction(state: Float64Array, before: Float64Array, action: Float64Array): boolean;
  /** Looks at a state's observation, in one pass over the constraints. */
  assess(observation: Float64Array): void;
  /** Of what was assessed last: as `computeCost` and `findViolation` tell it. */
  readonly cost: number;
  readonly violation: string;
}

/** Share of its margin that a constraint may lose in one interval. */
const decay = 0.1;

/** @param rates is left with those at the state and the action that was given, when this let it pass */
export function createSafetyLayer(plant: Plant, rates: Float64Array = new Float64Array(plant.initialState.length)): SafetyLayer {
  const { actionRate, fallbackAction, constraints, interval } = plant;
  const nextState = new Float64Array(plant.initialState.length);
  const nextObservation = new Float64Array(plant.observationSpace.low.length);
  // Columns of numbers: fields of records would be looked up in every step.
  const column = (read: (each: Constraint) => number): Float64Array => Float64Array.from(constraints, read);
  const [hardLow, softLow] = [column((each) => each.hardLow), column((each) => each.softLow)];
  const [softHigh, hardHigh] = [column((each) => each.softHigh), column((each) => each.hardHigh)];
  const index = Int32Array.from(constraints, (each) => each.index);
  /** Distance to the nearer hard limit, negative outside: of what was assessed, so much as must be kept. */
  const kept = new Float64Array(constraints.length);
  const count = constraints.length;
  // The cost, and which constraint is violated: a variable of a closure would be boxed whenever it is written.
  const found = Float64Array.of(0, -1);
  return {
    get cost() {
      return found[0];
    },
    get violation() {
      return found[1] < 0 ? "" : constraints[found[1]].name;
    },
    assess(observation) {
      let cost = 0;
      let violated = -1;
      for (let i = 0; i < count; i++) {
        const value = observation[index[i]];
        if (value > softHigh[i]) cost += (value - softHigh[i]) / (hardHigh[i] - softHigh[i]);
        else if (value < softLow[i]) cost += (softLow[i] - value) / (softLow[i] - hardLow[i]);
        const margin = Math.min(value - hardLow[i], hardHigh[i] - value);
        kept[i] = (1 - decay) * margin;
        if (violated < 0 && !(margin >= 0)) violated = i;
      }
      found[0] = cost;
      found[1] = violated;
    },
    filterAction(state, before, action) {
      for (let i = 0; i < action.length; i++) {
        action[i] = Math.min(Math.max(action[i], before[i] - actionRate[i]), before[i] + actionRate[i]);
      }
      plant.computeRates(state, action, rates);
      advance(state, rates, interval, nextState);
      plant.projectState(nextState);
      plant.observe(nextState, nextObservation);
      for (let i = 0; i < count; i++) {
        const value = nextObservation[index[i]];
        if (Math.min(value - hardLow[i], hardHigh[i] - value) < kept[i]) {
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

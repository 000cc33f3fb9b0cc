import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Disturbance, Plant } from "../plants/plant.js";
import type { Environment, EnvironmentDefinition, EnvironmentOptions, StepInfo, Transition } from "./environment.js";
import { createIntegrator, finishStep } from "./integrator.js";
import { createRandom, drawNormal, type Random, seedRandom } from "./random.js";
import { createSafetyLayer, findViolation } from "./safety.js";

/**
 * How much one unit of soft-constraint excess takes off the reward, and the end of the episode by a violation. No step
 * earns less than the lowest: at a discount of 0.99, an end is then never cheaper than going on.
 */
const costPenalty = 1;
const lowestReward = -1;
const violationPenalty = 100;

/** A disturbance's exact transition over one interval: x' = mean + keep (x - mean) + spread N(0, 1). */
interface Transfer {
  readonly index: number;
  readonly mean: number;
  readonly keep: number;
  readonly spread: number;
}

export function computeTransfer({ index, mean, deviation, relaxation }: Disturbance, interval: number): Transfer {
  const keep = Math.exp(-interval / relaxation);
  return { index, mean, keep, spread: deviation * Math.sqrt(1 - keep * keep) };
}

/** Writes the wanted action, clipped to its space. @throws FleetmarkError ACTION_INVALID, with nothing written */
function clipAction({ id, actionSpace }: Plant, wanted: Float64Array, action: Float64Array): void {
  const { low, high, names } = actionSpace;
  if (wanted.length !== action.length) {
    throw new FleetmarkError("ACTION_INVALID", `an action of ${wanted.length} numbers for ${id} (it takes ${action.length})`);
  }
  for (let i = 0; i < action.length; i++) {
    if (!Number.isFinite(wanted[i])) {
      throw new FleetmarkError("ACTION_INVALID", `${names[i]} = ${wanted[i]} as an action of ${id}`);
    }
  }
  for (let i = 0; i < action.length; i++) action[i] = Math.min(Math.max(wanted[i], low[i]), high[i]);
}

/** What an episode moves. */
export interface Motion {
  readonly state: Float64Array;
  readonly observation: Float64Array;
  readonly action: Float64Array;
  readonly random: Random;
}

/**
 * Makes what integrates a plant over one control interval, then moves what chance moves, and observes.
 * @param integrator whose first rates are those at the state, where the call says that they are known
 */
export function createAdvance(
  plant: Plant,
  { state, observation, action, random }: Motion,
  integrator = createIntegrator(state.length),
): (areRatesKnown?: boolean) => void {
  const { stiff } = plant;
  const transfers = plant.disturbances.map((disturbance) => computeTransfer(disturbance, plant.interval));
  const [first] = integrator.rates;
  return (areRatesKnown = false) => {
    if (!areRatesKnown) plant.computeRates(state, action, first);
    let substeps = plant.substeps;
    if (stiff !== undefined) {
      const now = state[stiff.index];
      if (Math.max(now, now + plant.interval * first[stiff.index]) > stiff.above) substeps = stiff.substeps;
    }
    const step = plant.interval / substeps;
    for (let i = 0; i < substeps; i++) {
      if (i > 0) plant.computeRates(state, action, first);
      finishStep(integrator, plant.computeRates, state, action, step);
      plant.projectState(state);
    }
    for (let i = 0; i < transfers.length; i++) {
      const { index, mean, keep, spread } = transfers[i];
      state[index] = mean + keep * (state[index] - mean) + spread * drawNormal(random);
    }
    plant.projectState(state);
    plant.observe(state, observation);
  };
}

/**
 * Closures over their arrays, and no record that is passed from function to function: of that, V8 boxed a number in
 * every step, which took 16 bytes and some 2 % of the time (Node 20).
 */
function createProcessEnvironment(plant: Plant, { checkConstraints }: EnvironmentOptions): Environment {
  const { actionSpace, observationSpace, envelope, maxSteps } = plant;
  const state = new Float64Array(plant.initialState.length);
  const observation = new Float64Array(observationSpace.low.length);
  const action = new Float64Array(actionSpace.low.length);
  const actionBefore = new Float64Array(actionSpace.low.length);
  const random = createRandom(0);
  const integrator = createIntegrator(state.length);
  const safety = createSafetyLayer(plant, integrator.rates[0]);
  const advancePlant = createAdvance(plant, { state, observation, action, random }, integrator);
  const info: StepInfo = { steps: 0, cost: 0, violation: "", intervened: false };
  const transition: Transition = { observation, reward: 0, terminated: false, truncated: false, info };
  const beginning = { observation, info };

  return {
    id: plant.id,
    observationSpace,
    actionSpace,
    maxSteps,
    reset(seed) {
      seedRandom(random, seed);
      for (let i = 0; i < state.length; i++) state[i] = plant.initialState[i] + plant.initialDeviation[i] * drawNormal(random);
      plant.projectState(state);
      plant.observe(state, observation);
      plant.suggestAction(observation, actionBefore);
      safety.assess(observation);
      info.steps = 0;
      info.cost = 0;
      info.violation = "";
      info.intervened = false;
      return beginning;
    },
    step(wanted) {
      clipAction(plant, wanted, action);
      info.intervened = checkConstraints && safety.filterAction(state, actionBefore, action);
      actionBefore.set(action);
      // What let an action pass has computed its rates.
      advancePlant(checkConstraints && !info.intervened);
      info.steps++;
      info.violation = findViolation(envelope, observation);
      info.cost = 0;
      if (checkConstraints) {
        safety.assess(observation);
        if (info.violation === "") info.violation = safety.violation;
        info.cost = safety.cost;
      }
      transition.terminated = info.violation !== "";
      transition.truncated = info.steps >= maxSteps;
      transition.reward = Math.max(lowestReward, plant.computeReward(observation, action) - costPenalty * info.cost);
      if (transition.terminated) transition.reward -= violationPenalty;
      return transition;
    },
    suggestAction: (suggested) => plant.suggestAction(observation, suggested),
  };
}

/** Makes environments of a plant: integration, disturbances, the safety layer, rewards, and the ends of episodes. */
export function defineProcessEnvironment(plant: Plant): EnvironmentDefinition {
  return { id: plant.id, create: (options) => createProcessEnvironment(plant, options) };
}

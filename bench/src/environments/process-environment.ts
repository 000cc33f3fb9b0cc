import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Environment, EnvironmentOptions, StepInfo, Transition } from "./environment.js";
import { createIntegrator, integrateStep } from "./integrator.js";
import type { Disturbance, Plant } from "./plant.js";
import { createRandom, drawNormal, seedRandom } from "./random.js";
import { computeCost, createSafetyLayer, findViolation } from "./safety.js";

/** How much one unit of soft-constraint excess takes off the reward, and the end of the episode by a violation. */
const costPenalty = 1;
const violationPenalty = 100;

/** A disturbance's exact transition over one interval: x' = mean + keep (x - mean) + spread N(0, 1). */
interface Transfer {
  readonly index: number;
  readonly mean: number;
  readonly keep: number;
  readonly spread: number;
}

function computeTransfer({ index, mean, deviation, relaxation }: Disturbance, interval: number): Transfer {
  const keep = Math.exp(-interval / relaxation);
  return { index, mean, keep, spread: deviation * Math.sqrt(1 - keep * keep) };
}

/** Makes an environment of a plant: integration, disturbances, the safety layer, rewards, and the ends of episodes. */
export function createProcessEnvironment(plant: Plant, { checkConstraints }: EnvironmentOptions): Environment {
  const { actionSpace, constraints, envelope, maxSteps } = plant;
  const { low, high } = actionSpace;
  const state = new Float64Array(plant.initialState.length);
  const observation = new Float64Array(plant.observationSpace.low.length);
  const action = new Float64Array(low.length);
  const actionBefore = new Float64Array(low.length);
  const integrator = createIntegrator(state.length);
  const safety = createSafetyLayer(plant);
  const random = createRandom(0);
  const transfers = plant.disturbances.map((disturbance) => computeTransfer(disturbance, plant.interval));
  const info: StepInfo = { steps: 0, cost: 0, violation: "", intervened: false };
  const transition: Transition = { observation, reward: 0, terminated: false, truncated: false, info };
  const beginning = { observation, info };

  function clipAction(wanted: Float64Array): void {
    if (wanted.length !== action.length) {
      throw new FleetmarkError(
        "ACTION_INVALID",
        `an action of ${wanted.length} numbers for ${plant.id} (it takes ${action.length})`,
      );
    }
    for (let i = 0; i < action.length; i++) {
      if (!Number.isFinite(wanted[i])) {
        throw new FleetmarkError("ACTION_INVALID", `${actionSpace.names[i]} = ${wanted[i]} as an action of ${plant.id}`);
      }
    }
    for (let i = 0; i < action.length; i++) action[i] = Math.min(Math.max(wanted[i], low[i]), high[i]);
  }

  function advancePlant(): void {
    const step = plant.interval / plant.substeps;
    for (let i = 0; i < plant.substeps; i++) {
      integrateStep(integrator, plant.computeRates, state, action, step);
      plant.projectState(state);
    }
    for (let i = 0; i < transfers.length; i++) {
      const { index, mean, keep, spread } = transfers[i];
      state[index] = mean + keep * (state[index] - mean) + spread * drawNormal(random);
    }
    plant.projectState(state);
    plant.observe(state, observation);
  }

  return {
    id: plant.id,
    observationSpace: plant.observationSpace,
    actionSpace,
    maxSteps,

    reset(seed) {
      seedRandom(random, seed);
      for (let i = 0; i < state.length; i++) state[i] = plant.initialState[i] + plant.initialDeviation[i] * drawNormal(random);
      plant.projectState(state);
      plant.observe(state, observation);
      plant.suggestAction(observation, actionBefore);
      info.steps = 0;
      info.cost = 0;
      info.violation = "";
      info.intervened = false;
      return beginning;
    },

    step(wanted) {
      clipAction(wanted);
      info.intervened = checkConstraints && safety.filterAction(state, observation, actionBefore, action);
      actionBefore.set(action);
      advancePlant();
      info.steps++;
      info.violation = findViolation(envelope, observation);
      info.cost = 0;
      if (checkConstraints) {
        if (info.violation === "") info.violation = findViolation(constraints, observation);
        info.cost = computeCost(constraints, observation);
      }
      transition.terminated = info.violation !== "";
      transition.truncated = info.steps >= maxSteps;
      transition.reward = plant.computeReward(observation, action) - costPenalty * info.cost;
      if (transition.terminated) transition.reward -= violationPenalty;
      return transition;
    },

    suggestAction(suggested) {
      plant.suggestAction(observation, suggested);
    },
  };
}

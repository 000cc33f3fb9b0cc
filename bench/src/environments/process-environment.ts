import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Environment, EnvironmentDefinition, EnvironmentOptions, StepInfo, Transition } from "./environment.js";
import { createIntegrator, type Integrator, integrateStep } from "./integrator.js";
import type { Disturbance, Plant } from "./plant.js";
import { createRandom, drawNormal, type Random, seedRandom } from "./random.js";
import { computeCost, createSafetyLayer, findViolation, type SafetyLayer } from "./safety.js";

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

/** An episode of a plant under way. Everything that a step writes is allocated once. */
interface Process {
  readonly plant: Plant;
  readonly checksConstraints: boolean;
  readonly state: Float64Array;
  readonly observation: Float64Array;
  /** The action of this step, clipped and filtered, and that of the step before. */
  readonly action: Float64Array;
  readonly actionBefore: Float64Array;
  readonly integrator: Integrator;
  readonly safety: SafetyLayer;
  readonly random: Random;
  readonly transfers: readonly Transfer[];
  readonly info: StepInfo;
  readonly transition: Transition;
}

function createProcess(plant: Plant, checksConstraints: boolean): Process {
  const observation = new Float64Array(plant.observationSpace.low.length);
  const info: StepInfo = { steps: 0, cost: 0, violation: "", intervened: false };
  return {
    plant,
    checksConstraints,
    state: new Float64Array(plant.initialState.length),
    observation,
    action: new Float64Array(plant.actionSpace.low.length),
    actionBefore: new Float64Array(plant.actionSpace.low.length),
    integrator: createIntegrator(plant.initialState.length),
    safety: createSafetyLayer(plant),
    random: createRandom(0),
    transfers: plant.disturbances.map((disturbance) => computeTransfer(disturbance, plant.interval)),
    info,
    transition: { observation, reward: 0, terminated: false, truncated: false, info },
  };
}

function resetProcess({ plant, state, observation, actionBefore, random, info }: Process, seed: number): void {
  seedRandom(random, seed);
  for (let i = 0; i < state.length; i++) state[i] = plant.initialState[i] + plant.initialDeviation[i] * drawNormal(random);
  plant.projectState(state);
  plant.observe(state, observation);
  plant.suggestAction(observation, actionBefore);
  info.steps = 0;
  info.cost = 0;
  info.violation = "";
  info.intervened = false;
}

/** Writes the wanted action, clipped to its space. @throws FleetmarkError ACTION_INVALID, with nothing written */
function clipAction({ plant, action }: Process, wanted: Float64Array): void {
  const { low, high, names } = plant.actionSpace;
  if (wanted.length !== action.length) {
    throw new FleetmarkError(
      "ACTION_INVALID",
      `an action of ${wanted.length} numbers for ${plant.id} (it takes ${action.length})`,
    );
  }
  for (let i = 0; i < action.length; i++) {
    if (!Number.isFinite(wanted[i])) {
      throw new FleetmarkError("ACTION_INVALID", `${names[i]} = ${wanted[i]} as an action of ${plant.id}`);
    }
  }
  for (let i = 0; i < action.length; i++) action[i] = Math.min(Math.max(wanted[i], low[i]), high[i]);
}

/** Integrates the plant over one control interval, then moves what chance moves. */
function advancePlant({ plant, state, observation, action, integrator, random, transfers }: Process): void {
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

function stepProcess(process: Process, wanted: Float64Array): Transition {
  const { plant, checksConstraints, state, observation, action, actionBefore, info, transition } = process;
  clipAction(process, wanted);
  info.intervened = checksConstraints && process.safety.filterAction(state, observation, actionBefore, action);
  actionBefore.set(action);
  advancePlant(process);
  info.steps++;
  info.violation = findViolation(plant.envelope, observation);
  info.cost = 0;
  if (checksConstraints) {
    if (info.violation === "") info.violation = findViolation(plant.constraints, observation);
    info.cost = computeCost(plant.constraints, observation);
  }
  transition.terminated = info.violation !== "";
  transition.truncated = info.steps >= plant.maxSteps;
  transition.reward = plant.computeReward(observation, action) - costPenalty * info.cost;
  if (transition.terminated) transition.reward -= violationPenalty;
  return transition;
}

function createProcessEnvironment(plant: Plant, { checkConstraints }: EnvironmentOptions): Environment {
  const process = createProcess(plant, checkConstraints);
  const { observation, info } = process;
  const beginning = { observation, info };
  return {
    id: plant.id,
    observationSpace: plant.observationSpace,
    actionSpace: plant.actionSpace,
    maxSteps: plant.maxSteps,
    reset: (seed) => {
      resetProcess(process, seed);
      return beginning;
    },
    step: (wanted) => stepProcess(process, wanted),
    suggestAction: (suggested) => plant.suggestAction(observation, suggested),
  };
}

/** Makes environments of a plant: integration, disturbances, the safety layer, rewards, and the ends of episodes. */
export function defineProcessEnvironment(plant: Plant): EnvironmentDefinition {
  return { id: plant.id, create: (options) => createProcessEnvironment(plant, options) };
}

import type { CompiledPlant, Plant } from "../plants/plant.js";
import { createLayout, instantiate } from "../wasm/wasm-module.js";
import type { EnvironmentOptions } from "./environment.js";
import { computeTransfer } from "./process-environment.js";
import { createRandom, drawNormal, type Random, seedRandom } from "./random.js";
import { checkActions, type VectorEnvironment, type VectorTransition } from "./vector-environment.js";

/*
 * Many environments of one plant in WebAssembly with SIMD, two at a time: assembly/vector-plant.ts steps them. What is
 * rare, the beginnings of episodes, is done here, in the same memory.
 *
 *   states, observed, before    pairs of numbers, a pair of environments behind the other
 *   generators                  four words of a pair, each of four lanes of which two are used
 *   wanted, observations        one environment behind the other, as callers know them
 */

/** The header's words, in their order. */
const headerFields = [
  "states",
  "generators",
  "before",
  "observed",
  "wanted",
  "observations",
  "rewards",
  "terminated",
  "truncated",
  "steps",
  "constraints",
  "constraintCount",
  "envelope",
  "envelopeCount",
  "disturbances",
  "disturbanceCount",
  "actions",
  "scratch",
  "maxSteps",
  "isChecked",
] as const;
type Header = Record<(typeof headerFields)[number], number>;

const wordBytes = 4;
const numberBytes = 8;
const pairBytes = 16;
const generatorBytes = 64;

/** The plant's numbers as rows, as assembly/vector-plant.ts reads them. */
function listTables(plant: Plant): Record<"constraints" | "envelope" | "disturbances" | "actions", number[]> {
  const { actionSpace, actionRate, fallbackAction } = plant;
  return {
    constraints: plant.constraints.flatMap((each) => [each.index, each.hardLow, each.softLow, each.softHigh, each.hardHigh]),
    envelope: plant.envelope.flatMap(({ index, hardLow, hardHigh }) => [index, hardLow, hardHigh]),
    disturbances: plant.disturbances.flatMap((each) => {
      const { index, mean, keep, spread } = computeTransfer(each, plant.interval);
      return [index, mean, keep, spread];
    }),
    actions: [...fallbackAction].flatMap((fallback, k) => [actionSpace.low[k], actionSpace.high[k], actionRate[k], fallback]),
  };
}

/** Lays everything out, and writes what does not change. */
function prepare(plant: Plant, compiled: CompiledPlant, pairs: number, { checkConstraints }: EnvironmentOptions) {
  const layout = createLayout();
  const [states, observed, actions] = [plant.initialState, plant.observationSpace.low, plant.actionSpace.low].map(
    ({ length }) => length,
  );
  const address = layout.take(headerFields.length * wordBytes);
  const tables = listTables(plant);
  const take = (numbers: readonly number[]): number => layout.take(numbers.length * numberBytes);
  const header: Header = {
    states: layout.take(pairs * states * pairBytes),
    generators: layout.take(pairs * generatorBytes),
    before: layout.take(pairs * actions * pairBytes),
    observed: layout.take(pairs * observed * pairBytes),
    wanted: layout.take(pairs * actions * pairBytes),
    observations: layout.take(pairs * observed * pairBytes),
    rewards: layout.take(pairs * pairBytes),
    terminated: layout.take(2 * pairs),
    truncated: layout.take(2 * pairs),
    steps: layout.take(2 * pairs * wordBytes),
    constraints: take(tables.constraints),
    constraintCount: plant.constraints.length,
    envelope: take(tables.envelope),
    envelopeCount: plant.envelope.length,
    disturbances: take(tables.disturbances),
    disturbanceCount: plant.disturbances.length,
    actions: take(tables.actions),
    // Rates of four stages, two probes, an action, an observation.
    scratch: layout.take((6 * states + actions + observed) * pairBytes),
    maxSteps: plant.maxSteps,
    isChecked: Number(checkConstraints),
  };
  const { buffer, functions } = instantiate(compiled.module, layout.end, compiled.parameters);
  new Uint32Array(buffer, address, headerFields.length).set(headerFields.map((field) => header[field]));
  for (const name of ["constraints", "envelope", "disturbances", "actions"] as const)
    new Float64Array(buffer, header[name], tables[name].length).set(tables[name]);
  return { address, header, buffer, functions };
}

type Prepared = ReturnType<typeof prepare>;

/** Makes what begins an episode in one environment: it draws its state, and writes it into the lane of a pair. */
function createBeginning(plant: Plant, { header, buffer }: Prepared, all: Float64Array): (i: number, seed: number) => void {
  const random: Random = createRandom(0);
  const state = new Float64Array(plant.initialState.length);
  const observation = new Float64Array(plant.observationSpace.low.length);
  const action = new Float64Array(plant.actionSpace.low.length);
  const steps = new Uint32Array(buffer, header.steps);

  function spread(numbers: Float64Array, at: number, i: number): void {
    const lanes = new Float64Array(buffer, at + (i >> 1) * numbers.length * pairBytes, 2 * numbers.length);
    for (let k = 0; k < numbers.length; k++) lanes[2 * k + (i & 1)] = numbers[k];
  }

  return (i, seed) => {
    seedRandom(random, seed);
    for (let k = 0; k < state.length; k++) {
      state[k] = plant.initialState[k] + plant.initialDeviation[k] * drawNormal(random);
    }
    plant.projectState(state);
    plant.observe(state, observation);
    plant.suggestAction(observation, action);
    spread(state, header.states, i);
    spread(observation, header.observed, i);
    spread(action, header.before, i);
    const words = new Uint32Array(buffer, header.generators + (i >> 1) * generatorBytes, 16);
    for (let word = 0; word < 4; word++) words[4 * word + (i & 1)] = random.state[word];
    steps[i] = 0;
    all.set(observation, i * observation.length);
  };
}

function viewTransition({ header, buffer }: Prepared, all: Float64Array, count: number, length: number): VectorTransition {
  return {
    observations: all.subarray(0, count * length),
    rewards: new Float64Array(buffer, header.rewards, count),
    terminated: new Uint8Array(buffer, header.terminated, count),
    truncated: new Uint8Array(buffer, header.truncated, count),
  };
}

function suggestAll(plant: Plant, observations: Float64Array, actions: Float64Array): void {
  const length = plant.observationSpace.low.length;
  const action = new Float64Array(plant.actionSpace.low.length);
  for (let i = 0; i < observations.length / length; i++) {
    plant.suggestAction(observations.subarray(i * length, (i + 1) * length), action);
    actions.set(action, i * action.length);
  }
}

/** Makes environments of a plant that has been compiled, by the rules of `VectorEnvironment`. */
export function createWasmVectorEnvironment(
  plant: Plant,
  compiled: CompiledPlant,
  count: number,
  options: EnvironmentOptions,
): VectorEnvironment {
  const pairs = Math.ceil(count / 2);
  const prepared = prepare(plant, compiled, pairs, options);
  const { address, header, buffer, functions } = prepared;
  const observationLength = plant.observationSpace.low.length;
  const actionLength = plant.actionSpace.low.length;
  // With an odd one's neighbour, which nobody sees.
  const all = new Float64Array(buffer, header.observations, 2 * pairs * observationLength);
  const wanted = new Float64Array(buffer, header.wanted, count * actionLength);
  const transition = viewTransition(prepared, all, count, observationLength);
  const { observations, rewards, terminated, truncated } = transition;
  const begin = createBeginning(plant, prepared, all);
  /** Those whose episode ended in the last step. */
  const over = new Uint32Array(count);
  let overCount = 0;
  let nextSeed = 0;

  function beginOver(): void {
    for (let n = 0; n < overCount; n++) {
      const i = over[n];
      begin(i, nextSeed++);
      rewards[i] = terminated[i] = truncated[i] = 0;
    }
    overCount = 0;
  }

  return {
    count,
    observationLength,
    actionLength,
    implementation: "wasm-simd",
    reset(seed) {
      overCount = 0;
      for (let i = 0; i < 2 * pairs; i++) begin(i, seed + i);
      nextSeed = seed + count;
      return observations;
    },
    step(actions) {
      if (actions.length === wanted.length) wanted.set(actions);
      // The slow look at each of them is for those that are wrong.
      if (actions.length !== wanted.length || functions.areFinite(header.wanted, wanted.length) === 0)
        checkActions(plant.id, actions, count, actionLength);
      const ended = functions.step(address, pairs);
      beginOver();
      if (ended === 0) return transition;
      for (let i = 0; i < count; i++) if ((terminated[i] | truncated[i]) === 1) over[overCount++] = i;
      return transition;
    },
    suggestActions: (suggested) => suggestAll(plant, observations, suggested),
  };
}

import type { Environment, SpaceSizes, Transition } from "../environments/environment.js";
import { createRandom, drawIndex, drawNormal, type Random } from "../environments/random.js";

/**
 * A batch of transitions in row-major float32 arrays that sampling fills anew: [size, dimensions], [size, 1] for
 * scalars.
 */
export interface Batch {
  readonly size: number;
  readonly observations: Float32Array;
  readonly actions: Float32Array;
  readonly rewards: Float32Array;
  readonly nextObservations: Float32Array;
  /**
   * 0 where the transition terminated its episode, else 1. A truncated episode goes on as far as its value is
   * concerned.
   */
  readonly continues: Float32Array;
}

/** A ring of transitions: once it is full, the newest replaces the oldest. */
export interface ReplayBuffer extends Batch, SpaceSizes {
  /** Transitions held, and the row that the next one goes to. */
  count: number;
  next: number;
}

export function createBatch(size: number, { observationLength, actionLength }: SpaceSizes): Batch {
  return {
    size,
    observations: new Float32Array(size * observationLength),
    actions: new Float32Array(size * actionLength),
    rewards: new Float32Array(size),
    nextObservations: new Float32Array(size * observationLength),
    continues: new Float32Array(size),
  };
}

export function createReplayBuffer(capacity: number, sizes: SpaceSizes): ReplayBuffer {
  return { ...createBatch(capacity, sizes), ...sizes, count: 0, next: 0 };
}

/** Records a transition; `observation` is the one that the action was chosen on. */
export function pushTransition(buffer: ReplayBuffer, observation: Float64Array, action: Float64Array, outcome: Transition): void {
  const row = buffer.next;
  buffer.observations.set(observation, row * buffer.observationLength);
  buffer.actions.set(action, row * buffer.actionLength);
  buffer.rewards[row] = outcome.reward;
  buffer.nextObservations.set(outcome.observation, row * buffer.observationLength);
  buffer.continues[row] = outcome.terminated ? 0 : 1;
  buffer.next = (row + 1) % buffer.size;
  buffer.count = Math.min(buffer.count + 1, buffer.size);
}

function copyRow(from: Float32Array, row: number, to: Float32Array, target: number, length: number): void {
  for (let i = 0; i < length; i++) to[target * length + i] = from[row * length + i];
}

/**
 * Fills the batch with transitions drawn uniformly, with replacement. Allocates nothing. The buffer must not be empty.
 */
export function sampleBatch(buffer: ReplayBuffer, random: Random, batch: Batch): void {
  const { observationLength, actionLength } = buffer;
  for (let target = 0; target < batch.size; target++) {
    const row = drawIndex(random, buffer.count);
    copyRow(buffer.observations, row, batch.observations, target, observationLength);
    copyRow(buffer.actions, row, batch.actions, target, actionLength);
    copyRow(buffer.nextObservations, row, batch.nextObservations, target, observationLength);
    batch.rewards[target] = buffer.rewards[row];
    batch.continues[target] = buffer.continues[row];
  }
}

/** Standard deviation of the noise that the behaviour policy adds to the controller's action, for coverage. */
const explorationNoise = 0.1;

/**
 * Runs the environment under its own controller with noise for so many steps and records them; episodes follow one
 * another.
 */
export function fillReplayBuffer(buffer: ReplayBuffer, environment: Environment, seed: number, steps: number): void {
  const random = createRandom(seed);
  const { low, high } = environment.actionSpace;
  const action = new Float64Array(buffer.actionLength);
  const observation = new Float64Array(buffer.observationLength);
  let episode = seed;
  observation.set(environment.reset(episode).observation);
  for (let step = 0; step < steps; step++) {
    environment.suggestAction(action);
    for (let i = 0; i < action.length; i++) {
      action[i] = Math.min(Math.max(action[i] + explorationNoise * drawNormal(random), low[i]), high[i]);
    }
    const outcome = environment.step(action);
    pushTransition(buffer, observation, action, outcome);
    observation.set(outcome.terminated || outcome.truncated ? environment.reset(++episode).observation : outcome.observation);
  }
}

/** By what observations were shifted and scaled, per dimension. */
export interface Normalization {
  readonly means: Float64Array;
  readonly scales: Float64Array;
}

/**
 * Shifts and scales the recorded observations to mean 0 and standard deviation 1 per dimension, in place, as TD3+BC
 * does (Fujimoto & Gu 2021, section 5, equation 6, epsilon 1e-3).
 */
export function normalizeObservations(buffer: ReplayBuffer): Normalization {
  const { observations, nextObservations, observationLength, count } = buffer;
  const means = new Float64Array(observationLength);
  const scales = new Float64Array(observationLength);
  for (let i = 0; i < observationLength; i++) {
    let sum = 0;
    for (let row = 0; row < count; row++) sum += observations[row * observationLength + i];
    const mean = sum / count;
    let squares = 0;
    for (let row = 0; row < count; row++) squares += (observations[row * observationLength + i] - mean) ** 2;
    const scale = Math.sqrt(squares / count) + 1e-3;
    for (const column of [observations, nextObservations]) {
      for (let row = 0; row < count; row++)
        column[row * observationLength + i] = (column[row * observationLength + i] - mean) / scale;
    }
    means[i] = mean;
    scales[i] = scale;
  }
  return { means, scales };
}

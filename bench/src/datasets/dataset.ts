import { type Batch, createBatch, type ReplayBuffer } from "../algorithms/replay-buffer.js";
import { type Environment, readSizes, type SpaceSizes } from "../environments/environment.js";
import { createRandom, drawNormal, drawUniform, type Random } from "../environments/random.js";
import { createEnvironment } from "../environments/registry.js";

/*
 * Offline datasets in the manner of D4RL (Fu et al. 2020, "D4RL: Datasets for Deep Data-Driven Reinforcement
 * Learning"): transitions of an environment under behaviour of some quality, as typed arrays.
 */

/**
 * How well behaves what acted: `expert`, the environment's own controller with a little noise; `random`, chance alone;
 * `medium`, the controller's actions with so much of chance in them that returns lie about half-way between both;
 * `mixed`, whole episodes of all three in turns.
 */
export const qualities = ["expert", "medium", "mixed", "random"] as const;
export type Quality = (typeof qualities)[number];

/** Transitions in rows. Each array has one behind the other: [size, dimensions], [size, 1] for scalars. */
export interface Dataset extends Omit<Batch, "continues">, SpaceSizes {
  readonly env: string;
  readonly quality: Quality;
  readonly seed: number;
  /** Share of chance in the actions, by episodes that take turns. */
  readonly chances: readonly number[];
  /** 1 where the transition terminated its episode; 1 where the episode reached its length, or the data their end. */
  readonly terminals: Uint8Array;
  readonly timeouts: Uint8Array;
  /** Sum of rewards of each whole episode. */
  readonly returns: readonly number[];
}

/** Standard deviation of the noise on the controller's actions: of what never varies, nothing can be learned. */
const noise = 0.05;

/** Halvings by which the share of chance in medium behaviour is found, and episodes that tell of each. */
const halvings = 6;
const triedEpisodes = 8;

/** Makes what acts: the controller's action with noise, and chance mixed into it by a share. */
function createActor(environment: Environment, share: number, random: Random): (action: Float64Array) => void {
  return (action) => {
    environment.suggestAction(action);
    for (let i = 0; i < action.length; i++) {
      const chosen = action[i] + noise * drawNormal(random);
      const blended = (1 - share) * chosen + share * (2 * drawUniform(random) - 1);
      action[i] = Math.min(1, Math.max(-1, blended));
    }
  };
}

/** Returns the mean return of episodes in whose actions chance has such a share. */
function tryShare(environment: Environment, chance: number, seed: number): number {
  const act = createActor(environment, chance, createRandom(seed));
  const action = new Float64Array(environment.actionSpace.low.length);
  let total = 0;
  for (let episode = 0; episode < triedEpisodes; episode++) {
    environment.reset(seed + episode);
    for (let isOver = false; !isOver; ) {
      act(action);
      const { reward, terminated, truncated } = environment.step(action);
      total += reward;
      isOver = terminated || truncated;
    }
  }
  return total / triedEpisodes;
}

/** Finds the share of chance whose return lies about half-way between the controller's and chance's. */
function findMediumShare(environment: Environment, seed: number): number {
  const halfWay = (tryShare(environment, 0, seed) + tryShare(environment, 1, seed)) / 2;
  let [low, high] = [0, 1];
  for (let i = 0; i < halvings; i++) {
    const middle = (low + high) / 2;
    if (tryShare(environment, middle, seed) > halfWay) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Returns the shares of chance of episodes, which take turns. */
function chooseShares(environment: Environment, quality: Quality, seed: number): readonly number[] {
  if (quality === "expert") return [0];
  if (quality === "random") return [1];
  const medium = findMediumShare(environment, seed);
  return quality === "medium" ? [medium] : [1, medium, 0];
}

export interface DatasetOptions {
  readonly env: string;
  readonly quality: Quality;
  /** Transitions. */
  readonly size: number;
  readonly seed: number;
  /** Told of transitions that were made so far, some times a second. */
  readonly onProgress?: (made: number) => void | Promise<void>;
}

/** Transitions between two words of progress. */
const chunk = 20_000;

/**
 * Makes a dataset; equal options make equal data.
 * @throws FleetmarkError BENCHMARK_UNKNOWN when there is no such environment
 */
export async function createDataset({ env, quality, size, seed, onProgress }: DatasetOptions): Promise<Dataset> {
  const environment = createEnvironment(env, { checkConstraints: true });
  const sizes = readSizes(environment);
  const { continues: _, ...arrays } = createBatch(size, sizes);
  const data = { ...arrays, terminals: new Uint8Array(size), timeouts: new Uint8Array(size) };
  const chances = chooseShares(environment, quality, seed);
  const random = createRandom(seed);
  const actors = chances.map((share) => createActor(environment, share, random));
  const action = new Float64Array(sizes.actionLength);
  const returns: number[] = [];
  let episode = 0;
  let total = 0;
  let observation = environment.reset(seed).observation;
  for (let row = 0; row < size; row++) {
    if (row > 0 && row % chunk === 0) await onProgress?.(row);
    actors[episode % actors.length](action);
    data.observations.set(observation, row * sizes.observationLength);
    data.actions.set(action, row * sizes.actionLength);
    const outcome = environment.step(action);
    observation = outcome.observation;
    data.nextObservations.set(observation, row * sizes.observationLength);
    data.rewards[row] = outcome.reward;
    data.terminals[row] = Number(outcome.terminated);
    data.timeouts[row] = Number(!outcome.terminated && (outcome.truncated || row === size - 1));
    total += outcome.reward;
    if (!outcome.terminated && !outcome.truncated) continue;
    returns.push(total);
    total = 0;
    episode++;
    observation = environment.reset(seed + episode).observation;
  }
  return { env, quality, seed, chances, ...sizes, ...data, returns };
}

/** Returns a replay buffer with a dataset's transitions, whose arrays it copies: learners normalise in place. */
export function createFilledBuffer(data: Dataset): ReplayBuffer {
  const { size, observationLength, actionLength } = data;
  return {
    size,
    observationLength,
    actionLength,
    observations: data.observations.slice(),
    actions: data.actions.slice(),
    rewards: data.rewards.slice(),
    nextObservations: data.nextObservations.slice(),
    continues: Float32Array.from(data.terminals, (terminal) => 1 - terminal),
    count: size,
    next: 0,
  };
}

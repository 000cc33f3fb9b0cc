import type { SpaceSizes } from "../environments/environment.js";
import { createRandom, drawUniform } from "../environments/random.js";
import type { Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";
import {
  createLearner,
  createNormalNoise,
  createOptimized,
  descend,
  halve,
  type Learner,
  type Losses,
  type Optimized,
  track,
  type UpdateInputs,
} from "./learner.js";
import { createLayers, forwardCritic, forwardNetwork, uploadLayers } from "./networks.js";

export interface CqlOptions {
  readonly discount: number;
  /** Soft update of the critics' targets: target ← tau · network + (1 - tau) · target. */
  readonly tau: number;
  readonly actorRate: number;
  readonly criticRate: number;
  /** Weight of the conservative term. */
  readonly conservatism: number;
  /** Actions that are drawn from each of three distributions to estimate the term. */
  readonly sampledActions: number;
  /** Widths of the hidden layers of all networks. */
  readonly hidden: readonly number[];
}

/**
 * Hyperparameters of CQL(H) (Kumar, Zhou, Tucker & Levine 2020, "Conservative Q-Learning for Offline Reinforcement
 * Learning", appendix F), which builds on soft actor-critic with a tuned temperature (Haarnoja et al. 2018). Actions
 * lie in [-1, 1].
 */
export const cqlDefaults: CqlOptions = {
  discount: 0.99,
  tau: 0.005,
  actorRate: 1e-4,
  criticRate: 3e-4,
  conservatism: 5,
  sampledActions: 10,
  hidden: [256, 256],
};

/**
 * Networks and optimisers. The actor's network gives means and logarithms of deviations side by side; `constants` are
 * what tells them apart and adds up columns. Critics are twins, the first one's parameters first. The temperature is
 * one logarithm, of shape [].
 */
export type CqlState = Optimized<"actor"> &
  Optimized<"critics"> &
  Optimized<"temperature"> & { readonly criticTargets: readonly Tensor[]; readonly constants: readonly Tensor[] };

/**
 * The batch holds observations, actions, rewards, nextObservations, continues, standard normal noise for the actor's
 * action at the observations and at the next ones, and then `sampledActions` times three: uniform actions, and noise
 * for the actor's actions at either.
 */
export type CqlInputs = UpdateInputs<CqlState>;

/** Bounds of the logarithm of a deviation, and what keeps the logarithm of a squashed density finite (Haarnoja). */
const lowestDeviation = -20;
const highestDeviation = 2;
const guard = 1e-6;

/** Actions of the squashed Gaussian policy with the logarithms of their densities, [batch, 1]. */
interface Sampled {
  readonly actions: Tensor;
  readonly densities: Tensor;
}

/** The same of any distribution; of the uniform one the density is a number. */
type Candidate = Pick<Sampled, "actions"> & { readonly densities: Tensor | number };

/** Draws actions by noise (Haarnoja et al. 2018, appendix C, equation 21). */
export function sampleActions(
  ops: TensorOps,
  actor: readonly Tensor[],
  [takeMean, takeDeviation, addColumns]: readonly Tensor[],
  observations: Tensor,
  noise: Tensor,
): Sampled {
  const output = forwardNetwork(ops, actor, observations);
  const means = ops.matmul(output, takeMean);
  const deviations = ops.clip(ops.matmul(output, takeDeviation), lowestDeviation, highestDeviation);
  const actions = ops.tanh(ops.add(means, ops.mul(ops.exp(deviations), noise)));
  const gaussian = ops.add(ops.mul(ops.square(noise), -0.5), -0.5 * Math.log(2 * Math.PI));
  const squashing = ops.log(ops.add(ops.mul(ops.square(actions), -1), 1 + guard));
  const densities = ops.matmul(ops.sub(ops.sub(gaussian, deviations), squashing), addColumns);
  return { actions, densities };
}

const takeLesser = (ops: TensorOps, critics: readonly Tensor[], observations: Tensor, actions: Tensor): Tensor => {
  const [first, second] = halve(critics).map((critic) => forwardCritic(ops, critic, observations, actions));
  return ops.minimum(first, second);
};

/** log of the sum of exp over values of the same shape, by their greatest. */
function logSumExp(ops: TensorOps, values: readonly Tensor[]): Tensor {
  const opposite = values.map((value) => ops.mul(value, -1));
  const greatest = ops.stopGradient(
    ops.mul(
      opposite.reduce((least, value) => ops.minimum(least, value)),
      -1,
    ),
  );
  const terms = values.map((value) => ops.exp(ops.sub(value, greatest)));
  return ops.add(greatest, ops.log(terms.reduce((sum, term) => ops.add(sum, term))));
}

/** Actions that the conservative term is estimated by, each with the logarithm of its density; no gradient flows. */
function drawCandidates(ops: TensorOps, { actor, constants, batch }: CqlInputs): Candidate[] {
  const [observations, actions, , nextObservations] = batch;
  const drawn = batch.slice(7);
  const uniform = -Math.log(2) * actions.shape[1];
  const hold = (sampled: Sampled): Candidate => ({
    actions: ops.stopGradient(sampled.actions),
    densities: ops.stopGradient(sampled.densities),
  });
  return drawn.map((noise, i) => {
    if (i % 3 === 0) return { actions: noise, densities: uniform };
    return hold(sampleActions(ops, actor, constants, i % 3 === 1 ? observations : nextObservations, noise));
  });
}

/**
 * Of both critics, added: the mean squared temporal-difference error, and conservatism times the mean of log Σ exp Q
 * over all actions, by importance sampling, less the Q of the data's action (CQL, equation 4 and appendix F).
 */
export function computeCqlCriticLoss(
  ops: TensorOps,
  critics: readonly Tensor[],
  inputs: CqlInputs,
  { discount, conservatism }: Pick<CqlOptions, "discount" | "conservatism">,
): Tensor {
  const [observations, actions, rewards, nextObservations, continues, , nextNoise] = inputs.batch;
  const next = sampleActions(ops, inputs.actor, inputs.constants, nextObservations, nextNoise);
  const value = takeLesser(ops, inputs.criticTargets, nextObservations, next.actions);
  const target = ops.stopGradient(ops.add(rewards, ops.mul(ops.mul(continues, value), discount)));
  const candidates = drawCandidates(ops, inputs);
  const [first, second] = halve(critics).map((critic) => {
    const values = forwardCritic(ops, critic, observations, actions);
    const weighed = candidates.map(({ actions: drawn, densities }) => {
      const drawnValues = forwardCritic(ops, critic, observations, drawn);
      return typeof densities === "number" ? ops.add(drawnValues, -densities) : ops.sub(drawnValues, densities);
    });
    const gap = ops.sub(ops.mean(logSumExp(ops, weighed)), ops.mean(values));
    return ops.add(ops.mean(ops.square(ops.sub(values, target))), ops.mul(gap, conservatism));
  });
  return ops.add(first, second);
}

/** Mean of temperature · log density - the lesser Q of the actor's own action (Haarnoja et al. 2018, equation 7). */
export function computeCqlActorLoss(ops: TensorOps, actor: readonly Tensor[], inputs: CqlInputs): Tensor {
  const [observations, , , , , noise] = inputs.batch;
  const sampled = sampleActions(ops, actor, inputs.constants, observations, noise);
  const temperature = ops.stopGradient(ops.exp(inputs.temperature[0]));
  const values = takeLesser(ops, inputs.critics, observations, sampled.actions);
  return ops.mean(ops.sub(ops.mul(sampled.densities, temperature), values));
}

/**
 * -temperature · mean (log density + target entropy), with minus the number of actions as the target (Haarnoja et al.
 * 2018, "Soft Actor-Critic Algorithms and Applications", equation 18).
 */
export function computeTemperatureLoss(ops: TensorOps, logarithm: Tensor, inputs: CqlInputs): Tensor {
  const [observations, actions, , , , noise] = inputs.batch;
  const sampled = sampleActions(ops, inputs.actor, inputs.constants, observations, noise);
  const lacking = ops.stopGradient(ops.add(ops.mean(sampled.densities), -actions.shape[1]));
  return ops.mul(ops.mul(ops.exp(logarithm), lacking), -1);
}

/** Temperature, then the actor, then both critics, each by what was before, then the targets. */
function updateAll(ops: TensorOps, inputs: CqlInputs, options: CqlOptions): Omit<CqlState, "constants"> & Losses {
  const { actorRate, criticRate } = options;
  const temperature = descend(ops, inputs, "temperature", ([t]) => computeTemperatureLoss(ops, t, inputs), actorRate);
  const actor = descend(ops, inputs, "actor", (a) => computeCqlActorLoss(ops, a, inputs), actorRate);
  const critics = descend(ops, inputs, "critics", (c) => computeCqlCriticLoss(ops, c, inputs, options), criticRate);
  return {
    ...temperature.changed,
    ...actor.changed,
    ...critics.changed,
    criticTargets: track(ops, critics.parameters, inputs.criticTargets, options.tau),
    losses: [critics.loss, actor.loss, temperature.loss],
  };
}

/** Matrices that take means and logarithms of deviations out of the actor's output, and that add up its columns. */
export function createConstants(runtime: TensorRuntime, actionLength: number): Tensor[] {
  const take = (from: number): Tensor => {
    const matrix = new Float32Array(2 * actionLength * actionLength);
    for (let i = 0; i < actionLength; i++) matrix[(from + i) * actionLength + i] = 1;
    return runtime.createTensor(matrix, [2 * actionLength, actionLength]);
  };
  return [take(0), take(actionLength), runtime.createTensor(new Float32Array(actionLength).fill(1), [actionLength, 1])];
}

/** Draws the networks from the seed; the critics' targets begin as copies, the temperature at 1. */
function createState(runtime: TensorRuntime, sizes: SpaceSizes, hidden: readonly number[], seed: number): CqlState {
  const { observationLength, actionLength } = sizes;
  const random = createRandom(seed);
  const criticWidths = [observationLength + actionLength, ...hidden, 1];
  const actor = uploadLayers(runtime, createLayers([observationLength, ...hidden, 2 * actionLength], random));
  const criticLayers = [...createLayers(criticWidths, random), ...createLayers(criticWidths, random)];
  return {
    ...createOptimized(runtime, "actor", actor),
    ...createOptimized(runtime, "critics", uploadLayers(runtime, criticLayers)),
    ...createOptimized(runtime, "temperature", [runtime.createTensor(Float32Array.of(0), [])]),
    criticTargets: uploadLayers(runtime, criticLayers),
    constants: createConstants(runtime, actionLength),
  };
}

/** Makes a learner whose networks and noise follow from the seed. Each update moves everything. */
export function createCql(
  runtime: TensorRuntime,
  sizes: SpaceSizes,
  seed: number,
  options: CqlOptions = cqlDefaults,
): Learner<CqlState> {
  const { actionLength } = sizes;
  const random = createRandom(seed + 1);
  const noises = Array.from({ length: 2 + 3 * options.sampledActions }, () => createNormalNoise(random, actionLength));
  const isUniform = (i: number): boolean => i >= 2 && (i - 2) % 3 === 0;
  const drawNoise = (size: number): Float32Array[] =>
    noises.map((draw, i) => (isUniform(i) ? draw(size).map(() => 2 * drawUniform(random) - 1) : draw(size)));
  const update = runtime.compile((inputs: CqlInputs) => updateAll(runtime.ops, inputs, options));
  return createLearner({
    runtime,
    sizes,
    state: createState(runtime, sizes, options.hidden, seed),
    chooseUpdate: () => update,
    drawNoise,
  });
}

import type { SpaceSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import type { Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";
import {
  createLearner,
  createOptimized,
  descend,
  halve,
  type Learner,
  type Losses,
  type Optimized,
  track,
  type UpdateInputs,
} from "./learner.js";
import { createLayers, forwardCritic, forwardNetwork, forwardPolicy, uploadLayers } from "./networks.js";

export interface IqlOptions {
  readonly discount: number;
  /** Soft update of the critics' targets: target ← tau · network + (1 - tau) · target. */
  readonly tau: number;
  readonly learningRate: number;
  /** Expectile of the value: 0.5 is the mean, towards 1 the best action in the data. */
  readonly expectile: number;
  /** Inverse temperature of the policy's weights exp(beta · advantage), and where they are clipped. */
  readonly beta: number;
  readonly weightClip: number;
  /** Widths of the hidden layers of all networks. */
  readonly hidden: readonly number[];
}

/**
 * Hyperparameters of IQL for locomotion (Kostrikov, Nair & Levine 2021, "Offline Reinforcement Learning with Implicit
 * Q-Learning", appendix B). Actions lie in [-1, 1].
 */
export const iqlDefaults: IqlOptions = {
  discount: 0.99,
  tau: 0.005,
  learningRate: 3e-4,
  expectile: 0.7,
  beta: 3,
  weightClip: 100,
  hidden: [256, 256],
};

/** Networks and optimisers. Critics are twins, the first one's parameters first; one Adam moves both. */
export type IqlState = Optimized<"actor"> &
  Optimized<"value"> &
  Optimized<"critics"> & { readonly criticTargets: readonly Tensor[] };

/** The batch holds observations, actions, rewards, nextObservations, continues. */
export type IqlInputs = UpdateInputs<IqlState>;

/** The lesser of both target critics at the data's own actions: [batch, 1]. */
function valueActions(ops: TensorOps, { criticTargets, batch: [observations, actions] }: IqlInputs): Tensor {
  const [first, second] = halve(criticTargets).map((critic) => forwardCritic(ops, critic, observations, actions));
  return ops.minimum(first, second);
}

/**
 * Mean of |expectile - 1(u < 0)| u^2 with u = Q(s, a) - V(s) (IQL, equation 5): what lies above the value counts for
 * more than what lies below.
 */
export function computeValueLoss(ops: TensorOps, value: readonly Tensor[], inputs: IqlInputs, expectile: number): Tensor {
  const [observations] = inputs.batch;
  const above = ops.sub(valueActions(ops, inputs), forwardNetwork(ops, value, observations));
  const over = ops.square(ops.relu(above));
  const under = ops.square(ops.relu(ops.mul(above, -1)));
  return ops.mean(ops.add(ops.mul(over, expectile), ops.mul(under, 1 - expectile)));
}

/** Mean squared error of both critics against reward + discount · continues · V(s'), added (IQL, equation 6). */
export function computeIqlCriticLoss(
  ops: TensorOps,
  critics: readonly Tensor[],
  value: readonly Tensor[],
  inputs: IqlInputs,
  discount: number,
): Tensor {
  const [observations, actions, rewards, nextObservations, continues] = inputs.batch;
  const next = ops.stopGradient(forwardNetwork(ops, value, nextObservations));
  const target = ops.add(rewards, ops.mul(ops.mul(continues, next), discount));
  const [first, second] = halve(critics).map((critic) =>
    ops.mean(ops.square(ops.sub(forwardCritic(ops, critic, observations, actions), target))),
  );
  return ops.add(first, second);
}

/**
 * Advantage-weighted regression (IQL, equation 7): mean of min(exp(beta · (Q - V)), clip) · (policy - action)^2, which
 * is the weighted log-likelihood of a Gaussian policy of constant deviation.
 */
export function computeIqlActorLoss(
  ops: TensorOps,
  actor: readonly Tensor[],
  value: readonly Tensor[],
  inputs: IqlInputs,
  { beta, weightClip }: Pick<IqlOptions, "beta" | "weightClip">,
): Tensor {
  const [observations, actions] = inputs.batch;
  const advantage = ops.sub(valueActions(ops, inputs), forwardNetwork(ops, value, observations));
  // Clipped before, so that no weight is infinite.
  const weights = ops.exp(ops.clip(ops.mul(advantage, beta), -1e3, Math.log(weightClip)));
  const errors = ops.square(ops.sub(forwardPolicy(ops, actor, observations), actions));
  return ops.mean(ops.mul(errors, ops.stopGradient(weights)));
}

/** The value, then actor and critics by the new value, then the targets. */
function updateAll(ops: TensorOps, inputs: IqlInputs, options: IqlOptions): IqlState & Losses {
  const { learningRate, expectile, discount } = options;
  const value = descend(ops, inputs, "value", (v) => computeValueLoss(ops, v, inputs, expectile), learningRate);
  const ofActor = (actor: readonly Tensor[]): Tensor => computeIqlActorLoss(ops, actor, value.parameters, inputs, options);
  const actor = descend(ops, inputs, "actor", ofActor, learningRate);
  const ofCritics = (critics: readonly Tensor[]): Tensor =>
    computeIqlCriticLoss(ops, critics, value.parameters, inputs, discount);
  const critics = descend(ops, inputs, "critics", ofCritics, learningRate);
  return {
    ...value.changed,
    ...actor.changed,
    ...critics.changed,
    criticTargets: track(ops, critics.parameters, inputs.criticTargets, options.tau),
    losses: [critics.loss, value.loss, actor.loss],
  };
}

/** Draws the networks from the seed; the critics' targets begin as copies. */
function createState(runtime: TensorRuntime, sizes: SpaceSizes, hidden: readonly number[], seed: number): IqlState {
  const { observationLength, actionLength } = sizes;
  const random = createRandom(seed);
  const criticWidths = [observationLength + actionLength, ...hidden, 1];
  const actor = uploadLayers(runtime, createLayers([observationLength, ...hidden, actionLength], random));
  const value = uploadLayers(runtime, createLayers([observationLength, ...hidden, 1], random));
  const criticLayers = [...createLayers(criticWidths, random), ...createLayers(criticWidths, random)];
  return {
    ...createOptimized(runtime, "actor", actor),
    ...createOptimized(runtime, "value", value),
    ...createOptimized(runtime, "critics", uploadLayers(runtime, criticLayers)),
    criticTargets: uploadLayers(runtime, criticLayers),
  };
}

/** Makes a learner whose networks follow from the seed. Each update moves the value, the actor, critics and targets. */
export function createIql(
  runtime: TensorRuntime,
  sizes: SpaceSizes,
  seed: number,
  options: IqlOptions = iqlDefaults,
): Learner<IqlState> {
  const update = runtime.compile((inputs: IqlInputs) => updateAll(runtime.ops, inputs, options));
  return createLearner({ runtime, sizes, state: createState(runtime, sizes, options.hidden, seed), chooseUpdate: () => update });
}

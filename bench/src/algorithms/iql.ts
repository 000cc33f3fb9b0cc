import type { SpaceSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import type { Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";
import { type AdamState, createAdamState, stepAdam } from "./adam.js";
import { createLearner, halve, type Learner, track, type UpdateInputs, type UpdateOutputs } from "./learner.js";
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
export type IqlState = {
  readonly actor: readonly Tensor[];
  readonly value: readonly Tensor[];
  readonly critics: readonly Tensor[];
  readonly criticTargets: readonly Tensor[];
  readonly actorFirst: readonly Tensor[];
  readonly actorSecond: readonly Tensor[];
  readonly actorPowers: readonly Tensor[];
  readonly valueFirst: readonly Tensor[];
  readonly valueSecond: readonly Tensor[];
  readonly valuePowers: readonly Tensor[];
  readonly criticFirst: readonly Tensor[];
  readonly criticSecond: readonly Tensor[];
  readonly criticPowers: readonly Tensor[];
};

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
function updateAll(ops: TensorOps, inputs: IqlInputs, options: IqlOptions): UpdateOutputs<IqlState> {
  const { learningRate } = options;
  const ofValue = ops.valueAndGrad((value) => computeValueLoss(ops, value, inputs, options.expectile), inputs.value);
  const valueBefore: AdamState = { first: inputs.valueFirst, second: inputs.valueSecond, powers: inputs.valuePowers };
  const value = stepAdam(ops, inputs.value, ofValue.gradients, valueBefore, learningRate);
  const ofActor = ops.valueAndGrad((actor) => computeIqlActorLoss(ops, actor, value.parameters, inputs, options), inputs.actor);
  const actorBefore: AdamState = { first: inputs.actorFirst, second: inputs.actorSecond, powers: inputs.actorPowers };
  const actor = stepAdam(ops, inputs.actor, ofActor.gradients, actorBefore, learningRate);
  const ofCritics = ops.valueAndGrad(
    (critics) => computeIqlCriticLoss(ops, critics, value.parameters, inputs, options.discount),
    inputs.critics,
  );
  const criticBefore: AdamState = { first: inputs.criticFirst, second: inputs.criticSecond, powers: inputs.criticPowers };
  const critics = stepAdam(ops, inputs.critics, ofCritics.gradients, criticBefore, learningRate);
  return {
    value: value.parameters,
    valueFirst: value.state.first,
    valueSecond: value.state.second,
    valuePowers: value.state.powers,
    actor: actor.parameters,
    actorFirst: actor.state.first,
    actorSecond: actor.state.second,
    actorPowers: actor.state.powers,
    critics: critics.parameters,
    criticFirst: critics.state.first,
    criticSecond: critics.state.second,
    criticPowers: critics.state.powers,
    criticTargets: track(ops, critics.parameters, inputs.criticTargets, options.tau),
    losses: [ofCritics.value, ofValue.value, ofActor.value],
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
  const critics = uploadLayers(runtime, criticLayers);
  const [ofActor, ofValue, ofCritics] = [actor, value, critics].map((parameters) => createAdamState(runtime, parameters));
  return {
    actor,
    value,
    critics,
    criticTargets: uploadLayers(runtime, criticLayers),
    actorFirst: ofActor.first,
    actorSecond: ofActor.second,
    actorPowers: ofActor.powers,
    valueFirst: ofValue.first,
    valueSecond: ofValue.second,
    valuePowers: ofValue.powers,
    criticFirst: ofCritics.first,
    criticSecond: ofCritics.second,
    criticPowers: ofCritics.powers,
  };
}

/** Makes a learner whose networks follow from the seed. Each update moves the value, the actor, critics and targets. */
export function createIql(
  runtime: TensorRuntime,
  sizes: SpaceSizes,
  seed: number,
  options: IqlOptions = iqlDefaults,
): Learner<IqlState> {
  const update = runtime.compile(
    (inputs: IqlInputs) => updateAll(runtime.ops, inputs, options) as Required<UpdateOutputs<IqlState>>,
  );
  return createLearner({ runtime, sizes, state: createState(runtime, sizes, options.hidden, seed), chooseUpdate: () => update });
}

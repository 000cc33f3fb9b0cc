import type { SpaceSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
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
import { createLayers, forwardCritic, forwardPolicy, uploadLayers } from "./networks.js";

export interface Td3BcOptions {
  readonly discount: number;
  /** Soft update of the targets: target ← tau · network + (1 - tau) · target. */
  readonly tau: number;
  readonly learningRate: number;
  /** Target policy smoothing: standard deviation of the noise, and where it is clipped. */
  readonly targetNoise: number;
  readonly targetNoiseClip: number;
  /** Weight of the value term: lambda = alpha / mean |Q|. */
  readonly alpha: number;
  /** The actor and the targets are updated with every so many critic updates. */
  readonly policyDelay: number;
  /** Widths of the hidden layers of actor and critics. */
  readonly hidden: readonly number[];
}

/**
 * Hyperparameters of TD3+BC (Fujimoto & Gu 2021, "A Minimalist Approach to Offline Reinforcement Learning", table 2),
 * which builds on TD3 (Fujimoto, van Hoof & Meger 2018). Actions lie in [-1, 1].
 */
export const td3BcDefaults: Td3BcOptions = {
  discount: 0.99,
  tau: 0.005,
  learningRate: 3e-4,
  targetNoise: 0.2,
  targetNoiseClip: 0.5,
  alpha: 2.5,
  policyDelay: 2,
  hidden: [256, 256],
};

/**
 * Networks and optimisers. Critics are twins, the first one's parameters first; one Adam moves both, as in the
 * reference.
 */
export type Td3BcState = Optimized<"actor"> &
  Optimized<"critics"> & { readonly actorTarget: readonly Tensor[]; readonly criticTargets: readonly Tensor[] };

/**
 * A batch on the device, in the order: observations, actions, rewards, nextObservations, continues, standard normal
 * noise.
 */
export type Td3BcInputs = UpdateInputs<Td3BcState>;

/** Mean squared temporal-difference error of both critics, added (TD3, algorithm 1). */
export function computeCriticLoss(
  ops: TensorOps,
  critics: readonly Tensor[],
  inputs: Td3BcInputs,
  options: Td3BcOptions,
): Tensor {
  const [observations, actions] = inputs.batch;
  const target = computeTarget(ops, inputs, options);
  const [loss1, loss2] = halve(critics).map((critic) =>
    ops.mean(ops.square(ops.sub(forwardCritic(ops, critic, observations, actions), target))),
  );
  return ops.add(loss1, loss2);
}

/**
 * reward + discount · continues · min over the target critics at the smoothed target action (TD3, equations 14 and
 * 15).
 */
function computeTarget(ops: TensorOps, inputs: Td3BcInputs, options: Td3BcOptions): Tensor {
  const [, , rewards, nextObservations, continues, normal] = inputs.batch;
  const noise = ops.clip(ops.mul(normal, options.targetNoise), -options.targetNoiseClip, options.targetNoiseClip);
  const nextActions = ops.clip(ops.add(forwardPolicy(ops, inputs.actorTarget, nextObservations), noise), -1, 1);
  const [value1, value2] = halve(inputs.criticTargets).map((critic) => forwardCritic(ops, critic, nextObservations, nextActions));
  return ops.add(rewards, ops.mul(ops.mul(continues, ops.minimum(value1, value2)), options.discount));
}

/**
 * -lambda · mean Q + mean (policy - action)^2 with lambda = alpha / mean |Q| held constant (TD3+BC, equations 4 and
 * 5).
 */
export function computeActorLoss(
  ops: TensorOps,
  actor: readonly Tensor[],
  critic: readonly Tensor[],
  inputs: Td3BcInputs,
  alpha: number,
): Tensor {
  const [observations, actions] = inputs.batch;
  const chosen = forwardPolicy(ops, actor, observations);
  const values = forwardCritic(ops, critic, observations, chosen);
  const scale = ops.stopGradient(ops.mean(ops.abs(values)));
  const valueTerm = ops.div(ops.mul(ops.mean(values), -alpha), scale);
  return ops.add(valueTerm, ops.mean(ops.square(ops.sub(chosen, actions))));
}

function updateCritics(ops: TensorOps, inputs: Td3BcInputs, options: Td3BcOptions): Optimized<"critics"> & Losses {
  const loss = (critics: readonly Tensor[]): Tensor => computeCriticLoss(ops, critics, inputs, options);
  const critics = descend(ops, inputs, "critics", loss, options.learningRate);
  return { ...critics.changed, losses: [critics.loss] };
}

/** Critics, then the actor against the first of the new critics, then the targets. */
function updateAll(ops: TensorOps, inputs: Td3BcInputs, options: Td3BcOptions): Td3BcState & Losses {
  const step = updateCritics(ops, inputs, options);
  const [critic] = halve(step.critics);
  const loss = (actor: readonly Tensor[]): Tensor => computeActorLoss(ops, actor, critic, inputs, options.alpha);
  const actor = descend(ops, inputs, "actor", loss, options.learningRate);
  return {
    ...step,
    ...actor.changed,
    actorTarget: track(ops, actor.parameters, inputs.actorTarget, options.tau),
    criticTargets: track(ops, step.critics, inputs.criticTargets, options.tau),
    losses: [...step.losses, actor.loss],
  };
}

/** Draws the networks from the seed; the targets begin as copies. */
function createState(
  runtime: TensorRuntime,
  { observationLength, actionLength }: SpaceSizes,
  hidden: readonly number[],
  seed: number,
): Td3BcState {
  const random = createRandom(seed);
  const actorLayers = createLayers([observationLength, ...hidden, actionLength], random);
  const criticWidths = [observationLength + actionLength, ...hidden, 1];
  const criticLayers = [...createLayers(criticWidths, random), ...createLayers(criticWidths, random)];
  return {
    ...createOptimized(runtime, "actor", uploadLayers(runtime, actorLayers)),
    ...createOptimized(runtime, "critics", uploadLayers(runtime, criticLayers)),
    actorTarget: uploadLayers(runtime, actorLayers),
    criticTargets: uploadLayers(runtime, criticLayers),
  };
}

/**
 * Makes a learner whose networks and smoothing noise follow from the seed. Each update moves both critics, every
 * `policyDelay`-th the actor and the targets too; the loss is the critics'.
 */
export function createTd3Bc(
  runtime: TensorRuntime,
  sizes: SpaceSizes,
  seed: number,
  options: Td3BcOptions = td3BcDefaults,
): Learner<Td3BcState> {
  const runCritics = runtime.compile((inputs: Td3BcInputs) => updateCritics(runtime.ops, inputs, options));
  const runAll = runtime.compile((inputs: Td3BcInputs) => updateAll(runtime.ops, inputs, options));
  const drawNoise = createNormalNoise(createRandom(seed + 1), sizes.actionLength);
  let updates = 0;
  return createLearner<Td3BcState>({
    runtime,
    sizes,
    state: createState(runtime, sizes, options.hidden, seed),
    chooseUpdate: () => (++updates % options.policyDelay === 0 ? runAll : runCritics),
    drawNoise: (size) => [drawNoise(size)],
  });
}

import type { SpaceSizes } from "../environments/environment.js";
import { drawNormal, type Random } from "../environments/random.js";
import { type Compiled, disposeAll, type Tensor, type TensorOps, type TensorRuntime, type Tensors } from "../runtimes/runtime.js";
import { type AdamState, createAdamState, stepAdam } from "./adam.js";
import type { Batch } from "./replay-buffer.js";

/** What an algorithm's compiled update is given: its state, and a batch on the device. */
export type UpdateInputs<S extends Tensors> = S & { readonly batch: readonly Tensor[] };

/** Losses of an update, of which the first is told. */
export type Losses = { readonly losses: readonly Tensor[] };

/** What it gives back: the parts of the state that it replaces, and its losses. */
export type UpdateOutputs<S extends Tensors> = Partial<S> & Losses;

export type Update<S extends Tensors> = Compiled<UpdateInputs<S>, UpdateOutputs<S> & Tensors>;

/** An algorithm with its networks and optimisers. */
export interface Learner<S extends Tensors> {
  /** As they are at present; replaced by every update. */
  readonly state: S;
  /** Copies a batch to the device, with what is drawn with it: what its losses are given beside the state. */
  upload(batch: Batch): readonly Tensor[];
  /** Learns from one batch. Returns the first loss, read back, so that the update is complete when it is known. */
  update(batch: Batch): number | Promise<number>;
  dispose(): void;
}

/** Splits the parameters of twin networks, the first one's first. */
export const halve = (tensors: readonly Tensor[]): [readonly Tensor[], readonly Tensor[]] => [
  tensors.slice(0, tensors.length / 2),
  tensors.slice(tensors.length / 2),
];

/** Moves targets towards networks: tau · network + (1 - tau) · target (Lillicrap et al. 2016). */
export function track(ops: TensorOps, networks: readonly Tensor[], targets: readonly Tensor[], tau: number): Tensor[] {
  return targets.map((target, i) => ops.add(ops.mul(networks[i], tau), ops.mul(target, 1 - tau)));
}

/** Makes what fills an array with standard normal numbers, made anew where the size is another. */
export function createNormalNoise(random: Random, length: number): (size: number) => Float32Array {
  let noise = new Float32Array(0);
  return (size) => {
    if (noise.length !== size * length) noise = new Float32Array(size * length);
    for (let i = 0; i < noise.length; i++) noise[i] = drawNormal(random);
    return noise;
  };
}

/** Parameters of a name in a state, with Adam's memory of them. */
export type Optimized<N extends string> = {
  readonly [K in N | `${N}First` | `${N}Second` | `${N}Powers`]: readonly Tensor[];
};

function nameOptimized<N extends string>(name: N, parameters: readonly Tensor[], memory: AdamState): Optimized<N> {
  const named = {
    [name]: parameters,
    [`${name}First`]: memory.first,
    [`${name}Second`]: memory.second,
    [`${name}Powers`]: memory.powers,
  };
  return named as Optimized<N>;
}

export function createOptimized<N extends string>(runtime: TensorRuntime, name: N, parameters: readonly Tensor[]): Optimized<N> {
  return nameOptimized(name, parameters, createAdamState(runtime, parameters));
}

/** Takes a step of Adam against the gradient of a loss: the loss before, the parameters after, and what changed. */
export function descend<N extends string>(
  ops: TensorOps,
  state: Optimized<N>,
  name: N,
  loss: (parameters: readonly Tensor[]) => Tensor,
  learningRate: number,
): { loss: Tensor; parameters: readonly Tensor[]; changed: Optimized<N> } {
  const { value, gradients } = ops.valueAndGrad(loss, state[name]);
  const memory = { first: state[`${name}First`], second: state[`${name}Second`], powers: state[`${name}Powers`] };
  const { parameters, state: after } = stepAdam(ops, state[name], gradients, memory, learningRate);
  return { loss: value, parameters, changed: nameOptimized(name, parameters, after) };
}

export interface LearnerOptions<S extends Tensors> {
  readonly runtime: TensorRuntime;
  readonly sizes: SpaceSizes;
  readonly state: S;
  /** Chooses the update that the next batch is for. */
  readonly chooseUpdate: () => Update<S>;
  /** Draws what goes with each batch of so many rows: arrays in the shape of the actions. Default: nothing. */
  readonly drawNoise?: (size: number) => readonly Float32Array[];
}

/**
 * Makes a learner. A batch goes to the device in the order observations, actions, rewards, nextObservations, continues,
 * and what is drawn with it.
 */
export function createLearner<S extends Tensors>(options: LearnerOptions<S>): Learner<S> {
  const { runtime, chooseUpdate, drawNoise = () => [] } = options;
  const { observationLength, actionLength } = options.sizes;
  let state = options.state;

  function uploadBatch(batch: Batch): Tensor[] {
    const { size } = batch;
    return [
      runtime.createTensor(batch.observations, [size, observationLength]),
      runtime.createTensor(batch.actions, [size, actionLength]),
      runtime.createTensor(batch.rewards, [size, 1]),
      runtime.createTensor(batch.nextObservations, [size, observationLength]),
      runtime.createTensor(batch.continues, [size, 1]),
      ...drawNoise(size).map((noise) => runtime.createTensor(noise, [size, actionLength])),
    ];
  }

  return {
    get state() {
      return state;
    },
    upload: uploadBatch,
    update(batch) {
      const uploaded = uploadBatch(batch);
      const { losses, ...changed } = chooseUpdate()({ ...state, batch: uploaded });
      runtime.dispose(uploaded);
      for (const name of Object.keys(changed)) runtime.dispose(state[name as keyof S]);
      state = { ...state, ...changed };
      const read = runtime.read(losses[0]);
      if (read instanceof Float32Array) {
        runtime.dispose(losses);
        return read[0];
      }
      return read.then((values) => {
        runtime.dispose(losses);
        return values[0];
      });
    },
    dispose: () => disposeAll(runtime, state),
  };
}

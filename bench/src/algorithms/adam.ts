import type { Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";

/** Decay rates and the guard of Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1. */
export const adamRates = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** The optimiser's memory of a list of parameters. */
export type AdamState = {
  /** Moment estimates, shaped as the parameters. */
  readonly first: readonly Tensor[];
  readonly second: readonly Tensor[];
  /** [beta1^t, beta2^t], each of shape []. */
  readonly powers: readonly Tensor[];
};

export function createAdamState(runtime: TensorRuntime, parameters: readonly Tensor[]): AdamState {
  const zeros = ({ shape }: Tensor): Tensor =>
    runtime.createTensor(new Float32Array(shape.reduce((product, length) => product * length, 1)), shape);
  return {
    first: parameters.map(zeros),
    second: parameters.map(zeros),
    powers: [1, 1].map((power) => runtime.createTensor(Float32Array.of(power), [])),
  };
}

/** Takes one step of Adam against the gradients; for use inside a compiled function. */
export function stepAdam(
  ops: TensorOps,
  parameters: readonly Tensor[],
  gradients: readonly Tensor[],
  state: AdamState,
  learningRate: number,
): { parameters: Tensor[]; state: AdamState } {
  const { beta1, beta2, epsilon } = adamRates;
  const powers = [ops.mul(state.powers[0], beta1), ops.mul(state.powers[1], beta2)];
  const first = gradients.map((gradient, i) => ops.add(ops.mul(state.first[i], beta1), ops.mul(gradient, 1 - beta1)));
  const second = gradients.map((gradient, i) =>
    ops.add(ops.mul(state.second[i], beta2), ops.mul(ops.square(gradient), 1 - beta2)),
  );
  const firstCorrection = ops.add(ops.mul(powers[0], -1), 1);
  const secondCorrection = ops.add(ops.mul(powers[1], -1), 1);
  const stepped = parameters.map((parameter, i) => {
    const direction = ops.div(first[i], firstCorrection);
    const scale = ops.add(ops.sqrt(ops.div(second[i], secondCorrection)), epsilon);
    return ops.sub(parameter, ops.mul(ops.div(direction, scale), learningRate));
  });
  return { parameters: stepped, state: { first, second, powers } };
}

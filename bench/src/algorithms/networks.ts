import { drawUniform, type Random } from "../environments/random.js";
import type { DenseLayer, Tensor, TensorOps, TensorRuntime } from "../runtimes/runtime.js";

/** Widths of a multilayer perceptron's layers, input first: [12, 256, 256, 3]. */
export type Widths = readonly number[];

export type Layer = DenseLayer;

/**
 * Draws the layers of a network uniformly from ±1/√inputs, weights and biases alike: PyTorch's default for a linear
 * layer, with which the reference implementations of TD3 (Fujimoto et al. 2018) and TD3+BC begin.
 */
export function createLayers(widths: Widths, random: Random): Layer[] {
  return widths.slice(1).map((outputs, i) => {
    const inputs = widths[i];
    const bound = 1 / Math.sqrt(inputs);
    const draw = (): number => bound * (2 * drawUniform(random) - 1);
    return {
      inputs,
      outputs,
      weights: Float32Array.from({ length: inputs * outputs }, draw),
      bias: Float32Array.from({ length: outputs }, draw),
    };
  });
}

/** Copies layers to a runtime: [weights, bias] of each layer in turn. */
export function uploadLayers(runtime: TensorRuntime, layers: readonly Layer[]): Tensor[] {
  return layers.flatMap(({ inputs, outputs, weights, bias }) => [
    runtime.createTensor(weights, [inputs, outputs]),
    runtime.createTensor(bias, [outputs]),
  ]);
}

/** Applies a network, rectified linear units within and nothing after: [batch, first width] → [batch, last width]. */
export function forwardNetwork(ops: TensorOps, parameters: readonly Tensor[], input: Tensor): Tensor {
  let activation = input;
  for (let i = 0; i < parameters.length; i += 2) {
    activation = ops.add(ops.matmul(activation, parameters[i]), parameters[i + 1]);
    if (i + 2 < parameters.length) activation = ops.relu(activation);
  }
  return activation;
}

/** The policy: a network with its outputs squashed to (-1, 1). */
export function forwardPolicy(ops: TensorOps, parameters: readonly Tensor[], observations: Tensor): Tensor {
  return ops.tanh(forwardNetwork(ops, parameters, observations));
}

/** The value of actions: a network over observation and action, [batch, 1]. */
export function forwardCritic(ops: TensorOps, parameters: readonly Tensor[], observations: Tensor, actions: Tensor): Tensor {
  return forwardNetwork(ops, parameters, ops.concatColumns(observations, actions));
}

/** A policy in plain typed arrays, as a controller without a tensor library runs it. The result is reused. */
export type PlainPolicy = (observation: Float64Array) => Float64Array;

/** Makes a policy of the layers, its sums in double precision. Allocates nothing per call. */
export function createPlainPolicy(layers: readonly Layer[]): PlainPolicy {
  const activations = layers.map(({ outputs }) => new Float64Array(outputs));
  return (observation) => {
    let input = observation;
    for (let i = 0; i < layers.length; i++) {
      const output = activations[i];
      applyLayer(layers[i], input, output);
      const last = i === layers.length - 1;
      for (let j = 0; j < output.length; j++) output[j] = last ? Math.tanh(output[j]) : Math.max(0, output[j]);
      input = output;
    }
    return input;
  };
}

/** Writes input × weights + bias. Zeros are not skipped, so that the work does not depend on the data. */
function applyLayer({ inputs, outputs, weights, bias }: Layer, input: Float64Array, output: Float64Array): void {
  output.set(bias);
  for (let i = 0; i < inputs; i++) {
    const value = input[i];
    const row = i * outputs;
    for (let j = 0; j < outputs; j++) output[j] += value * weights[row + j];
  }
}

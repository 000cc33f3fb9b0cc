import { beforeAll, expect } from "vitest";
import type { Layer } from "../src/algorithms/networks.js";
import { createBatch } from "../src/algorithms/replay-buffer.js";
import { createRandom, drawNormal, drawUniform } from "../src/environments/random.js";
import { loadRuntime } from "../src/runtimes/registry.js";
import type { Tensor, TensorRuntime } from "../src/runtimes/runtime.js";

/** What tests of learning algorithms share: a batch, and networks in double precision to compare runtimes with. */

export const runtimeNames = ["jax-js", "tfjs-wasm"] as const;

/** Loads the runtimes before the tests of a file. */
export function useRuntimes(): Record<(typeof runtimeNames)[number], TensorRuntime> {
  const loaded = {} as Record<(typeof runtimeNames)[number], TensorRuntime>;
  beforeAll(async () => {
    for (const name of runtimeNames) loaded[name] = await loadRuntime(name);
  });
  return loaded;
}

export const read = (runtime: TensorRuntime, tensor: Tensor): number[] => [...(runtime.read(tensor) as Float32Array)];

/** A fixed batch of 32 random transitions: 4 observations, 2 actions. */
export function drawBatch() {
  const random = createRandom(11);
  const batch = createBatch(32, { observationLength: 4, actionLength: 2 });
  for (const array of [batch.observations, batch.nextObservations, batch.rewards]) {
    for (let i = 0; i < array.length; i++) array[i] = drawNormal(random);
  }
  for (let i = 0; i < batch.actions.length; i++) batch.actions[i] = 2 * drawUniform(random) - 1;
  for (let i = 0; i < batch.size; i++) batch.continues[i] = i % 8 === 0 ? 0 : 1;
  return batch;
}

/** Networks in double precision, straight from the formulas: what the runtimes are compared with. */
export type Network = {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number[];
  readonly bias: number[];
}[];

export function toNetwork(layers: readonly Layer[]): Network {
  return layers.map(({ inputs, outputs, weights, bias }) => ({ inputs, outputs, weights: [...weights], bias: [...bias] }));
}

export function apply(network: Network, input: readonly number[]): number[] {
  return network.reduce<readonly number[]>((x, { inputs, outputs, weights, bias }, at) => {
    const sums = bias.map((offset, j) => {
      let sum = offset;
      for (let i = 0; i < inputs; i++) sum += x[i] * weights[i * outputs + j];
      return sum;
    });
    return at === network.length - 1 ? sums : sums.map((sum) => Math.max(0, sum));
  }, input) as number[];
}

export const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export const rowOf = (array: Float32Array, row: number, width: number): number[] => [
  ...array.slice(row * width, (row + 1) * width),
];

/** Central differences in double precision with respect to every weight and bias, in the order of upload. */
export function differentiate(networks: readonly Network[], loss: () => number): number[][] {
  const step = 1e-6;
  return networks.flat().flatMap(({ weights, bias }) =>
    [weights, bias].map((parameters) =>
      parameters.map((value, i) => {
        parameters[i] = value + step;
        const above = loss();
        parameters[i] = value - step;
        const below = loss();
        parameters[i] = value;
        return (above - below) / (2 * step);
      }),
    ),
  );
}

export function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(actual[i] - value) / (1 + Math.abs(value))));
  expect(worst).toBeLessThan(tolerance);
}

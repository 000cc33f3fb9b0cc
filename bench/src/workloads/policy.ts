import { createLayers, forwardPolicy, uploadLayers } from "../algorithms/networks.js";
import { createRandom, drawNormal } from "../environments/random.js";
import type { TensorRuntime } from "../runtimes/runtime.js";
import { createProgram, type Program } from "./program.js";

/** The policy that is measured: 12 observations, two hidden layers, 3 actions. */
export const policyWidths = [12, 256, 256, 3] as const;

/** Observation batches that take turns as the input. */
const inputCount = 8;

/** Makes the policy's forward pass over batches of standard normal observations, random networks from the seed. */
export function createPolicyProgram(runtime: TensorRuntime, batch: number, seed: number): Program {
  const random = createRandom(seed);
  const parameters = uploadLayers(runtime, createLayers(policyWidths, random));
  const inputs = Array.from({ length: inputCount }, () =>
    Float32Array.from({ length: batch * policyWidths[0] }, () => drawNormal(random)),
  );
  return createProgram(runtime, (layers, x) => forwardPolicy(runtime.ops, layers, x), parameters, inputs, [
    batch,
    policyWidths[0],
  ]);
}

import { createLayers, forwardPolicy, uploadLayers, type Widths } from "../algorithms/networks.js";
import { readSizes } from "../environments/environment.js";
import { createRandom, drawNormal } from "../environments/random.js";
import { createEnvironment, referenceEnvironment } from "../environments/registry.js";
import type { PlainPolicyRunner, TensorRuntime } from "../runtimes/runtime.js";
import { createProgram, type Program } from "./program.js";

/** Hidden layers of the policy that is measured, as in the reference implementations of TD3. */
const hidden = [256, 256];

/** Returns the widths of the measured policy's layers for an environment: observations first, actions last. */
export function choosePolicyWidths(environmentId = referenceEnvironment): Widths {
  const { observationLength, actionLength } = readSizes(createEnvironment(environmentId, { checkConstraints: false }));
  return [observationLength, ...hidden, actionLength];
}

/** Observation batches that take turns as the input. */
const inputCount = 8;

/** Makes a policy's forward pass over batches of standard normal observations, random networks from the seed. */
export function createPolicyProgram(runtime: TensorRuntime, widths: Widths, batch: number, seed: number): Program {
  const random = createRandom(seed);
  const layers = createLayers(widths, random);
  const shape = [batch, widths[0]];
  const inputs = Array.from({ length: inputCount }, () =>
    Float32Array.from({ length: batch * widths[0] }, () => drawNormal(random)),
  );
  const { createPolicy } = runtime;
  if (createPolicy !== undefined) return createPlainProgram(createPolicy(layers, batch), inputs);
  const parameters = uploadLayers(runtime, layers);
  return createProgram(runtime, (given, x) => forwardPolicy(runtime.ops, given, x), parameters, inputs, shape);
}

/** Makes an iteration of what runs policies alone. */
function createPlainProgram(run: PlainPolicyRunner, inputs: readonly Float32Array[]): Program {
  let turn = 0;
  return {
    iterate: () => {
      turn = (turn + 1) % inputs.length;
      return run(inputs[turn])[0];
    },
    dispose: () => undefined,
  };
}

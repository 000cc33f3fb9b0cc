import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { createLayout, instantiate } from "../wasm/wasm-module.js";
import type { Availability, DenseLayer, PlainPolicyRunner, Runtime, TensorOps, TensorRuntime } from "./runtime.js";

/*
 * Policies alone, by hand-written WebAssembly with SIMD (assembly/policy.ts): what an embedded controller runs, and the
 * floor to measure the other runtimes by.
 */

const name = "wasm";
/** Outputs that are computed together, and bytes of as many numbers. */
const blockLength = 16;
const floatBytes = 4;
const layerBytes = 16;

const countBlocks = (length: number): number => Math.ceil(length / blockLength);

/** Writes a layer's weights in the order in which they are read: blocks of outputs, their inputs, sixteen weights. */
function packWeights({ inputs, outputs, weights }: DenseLayer, packed: Float32Array): void {
  for (let j = 0; j < outputs; j++) {
    const block = Math.floor(j / blockLength) * inputs * blockLength + (j % blockLength);
    for (let i = 0; i < inputs; i++) packed[block + i * blockLength] = weights[i * outputs + j];
  }
}

function createPolicy(layers: readonly DenseLayer[], most: number): PlainPolicyRunner {
  const observationLength = layers[0].inputs;
  const actionLength = layers[layers.length - 1].outputs;
  const layout = createLayout();
  const table = layout.take(layers.length * layerBytes);
  const places = layers.map(({ inputs, outputs }) => {
    const padded = countBlocks(outputs) * blockLength;
    return { weights: layout.take(inputs * padded * floatBytes), bias: layout.take(padded * floatBytes) };
  });
  const widthBytes = Math.max(...layers.map(({ outputs }) => countBlocks(outputs))) * blockLength * floatBytes;
  const scratch = layout.take(2 * widthBytes);
  const observations = layout.take(most * observationLength * floatBytes);
  const actions = layout.take(most * actionLength * floatBytes);
  const { buffer, functions } = instantiate("policy", layout.end, {});
  layers.forEach((layer, n) => {
    const blocks = countBlocks(layer.outputs);
    const { weights, bias } = places[n];
    packWeights(layer, new Float32Array(buffer, weights, layer.inputs * blocks * blockLength));
    new Float32Array(buffer, bias, layer.outputs).set(layer.bias);
    new Uint32Array(buffer, table + n * layerBytes, 4).set([layer.inputs, blocks, weights, bias]);
  });
  const given = new Float32Array(buffer, observations, most * observationLength);
  const taken = new Float32Array(buffer, actions, most * actionLength);
  const { forward } = functions;
  return (rows) => {
    given.set(rows);
    const count = rows.length / observationLength;
    forward(table, layers.length, observations, actions, count, observationLength, actionLength, scratch, widthBytes);
    return taken;
  };
}

function refuse(): never {
  throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${name} runs policies and nothing else`);
}

const ops = new Proxy({}, { get: refuse }) as TensorOps;

async function load(): Promise<TensorRuntime> {
  try {
    // Where there is no SIMD it does not compile.
    instantiate("policy", 0, {});
  } catch (cause) {
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${name}: ${errorMessage(cause)}`, { cause });
  }
  const nothing = { ops, createTensor: refuse, read: refuse, dispose: () => undefined, compile: refuse };
  return { name, device: "cpu", compiles: false, readsAtOnce: true, ...nothing, createPolicy };
}

async function probe(): Promise<Availability> {
  return { available: true, device: "cpu", version: process.versions.v8, note: "policies alone, WebAssembly with SIMD" };
}

export const wasm: Runtime = { name, devices: ["cpu"], compiles: false, runsPoliciesOnly: true, probe, load };

import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { jaxJs } from "./jax-js.js";
import type { Runtime, TensorRuntime } from "./runtime.js";
import { tfjsNode, tfjsNodeGpu } from "./tfjs-node.js";
import { tfjsWasm } from "./tfjs-wasm.js";
import { wasm } from "./wasm.js";
import { webgpu } from "./webgpu.js";

/** Every runtime: to add one, write its file and list it here. Importing this loads no tensor library. */
export const runtimes: readonly Runtime[] = [jaxJs, tfjsWasm, tfjsNode, tfjsNodeGpu, webgpu, wasm];

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest runtime, or all that exist */
export function findRuntime(name: string): Runtime {
  const runtime = runtimes.find((candidate) => candidate.name === name);
  if (runtime !== undefined) return runtime;
  const names = runtimes.map((known) => known.name);
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `no runtime ${name}; ${suggest(name, names)}`);
}

const loaded = new Map<string, Promise<TensorRuntime>>();

/**
 * Loads a runtime, once per process.
 * @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest runtime, or all that exist; RUNTIME_UNAVAILABLE
 */
export async function loadRuntime(name: string): Promise<TensorRuntime> {
  const promise = loaded.get(name) ?? findRuntime(name).load();
  loaded.set(name, promise);
  return promise;
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { jaxJs } from "./jax-js.js";
import type { Availability, Runtime, TensorRuntime } from "./runtime.js";
import { tfjsNode, tfjsNodeGpu } from "./tfjs-node.js";
import { tfjsWasm } from "./tfjs-wasm.js";
import { webgpu } from "./webgpu.js";

/** Every runtime: to add one, write its file and list it here. Importing this loads no tensor library. */
export const runtimes: readonly Runtime[] = [jaxJs, tfjsWasm, tfjsNode, tfjsNodeGpu, webgpu];

export type RuntimeReport = { readonly name: string } & Availability;

/** Seconds within which a runtime must have been probed: a GPU's driver may never answer. */
const probeS = 30;

/** Says of every runtime whether this host can use it, and if not, why. */
export function probeRuntimes(all: readonly Runtime[] = runtimes, patienceS = probeS): Promise<RuntimeReport[]> {
  return Promise.all(
    all.map(async ({ name, probe }) => {
      let answer: Availability = { available: false, reason: `no answer within ${patienceS} s` };
      const probing = probe().then((found) => {
        answer = found;
      });
      await waitAtMost(probing, patienceS);
      return { name, ...answer };
    }),
  );
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the runtimes that exist */
export function findRuntime(name: string): Runtime {
  const runtime = runtimes.find((candidate) => candidate.name === name);
  if (runtime !== undefined) return runtime;
  throw new FleetmarkError(
    "BENCHMARK_UNKNOWN",
    `no runtime ${name}; there are ${runtimes.map((known) => known.name).join(", ")}`,
  );
}

const loaded = new Map<string, Promise<TensorRuntime>>();

/**
 * Loads a runtime, once per process.
 * @throws FleetmarkError BENCHMARK_UNKNOWN naming the runtimes that exist, RUNTIME_UNAVAILABLE where it can't be used
 */
export async function loadRuntime(name: string): Promise<TensorRuntime> {
  const promise = loaded.get(name) ?? findRuntime(name).load();
  loaded.set(name, promise);
  return promise;
}

import type { EnvironmentOptions } from "./environment.js";
import { createLoopedEnvironment } from "./looped-vector-environment.js";
import { findEnvironment, plants } from "./registry.js";
import type { VectorEnvironment } from "./vector-environment.js";
import { createWasmVectorEnvironment } from "./wasm-vector-environment.js";

/**
 * Makes so many environments of a kind, by WebAssembly where its plant has been compiled.
 * @throws FleetmarkError BENCHMARK_UNKNOWN naming the environments that exist
 */
export function createVectorEnvironment(id: string, count: number, options: EnvironmentOptions): VectorEnvironment {
  const plant = plants.find((each) => each.id === id);
  if (plant?.compiled === undefined) return createLoopedEnvironment(findEnvironment(id), count, options);
  return createWasmVectorEnvironment(plant, plant.compiled, count, options);
}

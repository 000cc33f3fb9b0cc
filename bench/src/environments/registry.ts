import { FleetmarkError } from "@fleetmark/shared/errors";
import { chemicalReactor } from "./chemical-reactor.js";
import type { Environment, EnvironmentOptions } from "./environment.js";
import type { Plant } from "./plant.js";
import { createProcessEnvironment } from "./process-environment.js";

/** Every environment: to add one, write its file and add its plant here. */
export const plants: readonly Plant[] = [chemicalReactor];

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the environments that exist */
export function createEnvironment(id: string, options: EnvironmentOptions): Environment {
  const plant = plants.find((candidate) => candidate.id === id);
  if (plant === undefined) {
    throw new FleetmarkError(
      "BENCHMARK_UNKNOWN",
      `no environment ${id}; there are ${plants.map((known) => known.id).join(", ")}`,
    );
  }
  return createProcessEnvironment(plant, options);
}

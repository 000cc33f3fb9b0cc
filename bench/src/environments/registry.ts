import { FleetmarkError } from "@fleetmark/shared/errors";
import { chemicalReactor } from "./chemical-reactor.js";
import type { Environment, EnvironmentDefinition, EnvironmentOptions } from "./environment.js";
import { hvacControl } from "./hvac.js";
import type { Plant } from "./plant.js";
import { powerGrid } from "./power-grid.js";
import { defineProcessEnvironment } from "./process-environment.js";
import { robotAssembly } from "./robot-assembly.js";
import { steelAnnealing } from "./steel-annealing.js";
import { supplyChain } from "./supply-chain.js";
import { waterTreatment } from "./water-treatment.js";

/** Plants that are described by their equations: to add an environment, write its file and list it here. */
export const plants: readonly Plant[] = [
  chemicalReactor,
  hvacControl,
  powerGrid,
  robotAssembly,
  steelAnnealing,
  supplyChain,
  waterTreatment,
];

/** Every environment. A plant is one way to make one. */
export const environments: readonly EnvironmentDefinition[] = plants.map(defineProcessEnvironment);

/** The environment of those workloads whose parameters name none: policies and learners take their sizes from it. */
export const referenceEnvironment = chemicalReactor.id;

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the environments that exist */
export function createEnvironment(id: string, options: EnvironmentOptions): Environment {
  const definition = environments.find((candidate) => candidate.id === id);
  if (definition === undefined) {
    throw new FleetmarkError(
      "BENCHMARK_UNKNOWN",
      `no environment ${id}; there are ${environments.map((known) => known.id).join(", ")}`,
    );
  }
  return definition.create(options);
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { chemicalReactor } from "../plants/chemical-reactor.js";
import { hvacControl } from "../plants/hvac.js";
import type { Plant } from "../plants/plant.js";
import { powerGrid } from "../plants/power-grid.js";
import { robotAssembly } from "../plants/robot-assembly.js";
import { steelAnnealing } from "../plants/steel-annealing.js";
import { supplyChain } from "../plants/supply-chain.js";
import { waterTreatment } from "../plants/water-treatment.js";
import type { Environment, EnvironmentDefinition, EnvironmentOptions } from "./environment.js";
import { defineProcessEnvironment } from "./process-environment.js";

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

function findById<T extends { readonly id: string }>(known: readonly T[], id: string): T {
  const found = known.find((candidate) => candidate.id === id);
  if (found !== undefined) return found;
  const ids = known.map((each) => each.id);
  throw new FleetmarkError("BENCHMARK_UNKNOWN", `no environment ${id}; ${suggest(id, ids)}`);
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest environment, or all that exist */
export function findPlant(id: string): Plant {
  return findById(plants, id);
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest environment, or all that exist */
export function findEnvironment(id: string): EnvironmentDefinition {
  return findById(environments, id);
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN naming the nearest environment, or all that exist */
export function createEnvironment(id: string, options: EnvironmentOptions): Environment {
  return findEnvironment(id).create(options);
}

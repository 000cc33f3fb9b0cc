import { readServerVersion } from "./api.js";
import { describeFailure } from "./failures.js";
import type { InfluxTarget } from "./target.js";

/**
 * Which InfluxDB answers: they share InfluxQL and line protocol, and differ in what is around them. 1 has retention
 * policies and continuous queries, 2 (and Cloud) buckets in an organisation, 3 neither.
 */
export type Generation = "1" | "2" | "3";

/** @throws FleetmarkError STORE_FAILED */
export async function readGeneration(target: InfluxTarget): Promise<Generation> {
  const version = await readServerVersion(target);
  return findGeneration(version, target);
}

/** What does not tell its version is taken for what the configuration is made for. */
export function findGeneration(version: string | undefined, { org }: Pick<InfluxTarget, "org">): Generation {
  const first = version?.[0];
  if (first === "1" || first === "2" || first === "3") return first;
  return org === "" ? "1" : "2";
}

/**
 * An organisation decides by which path is written, and each path reads times its own way: InfluxDB 2.x takes the
 * microseconds that 1.x is sent for nanoseconds, acknowledges, and files them in January 1970.
 * @throws FleetmarkError STORE_FAILED where the configuration is made for another InfluxDB
 */
export function checkOrganisation(generation: Generation, target: InfluxTarget): void {
  if (generation === "2" && target.org === "")
    throw describeFailure(target, "it is InfluxDB 2.x, which needs to know the organisation: set store.org (--store-org)");
  if (generation === "1" && target.org !== "")
    throw describeFailure(target, "it is InfluxDB 1.x, which has no organisations: leave store.org out");
}

import { arch, availableParallelism, release } from "node:os";
import type { Point } from "@fleetmark/shared/model/series";
import { version } from "@fleetmark/shared/version";
import type { Identity } from "../host/identity.js";
import type { Introduction } from "../links/link-options.js";
import type { Inventory } from "./inventory.js";

/**
 * What the agent knows of its host: first what needs no tool, then what tools have found out, which may take long or
 * never come.
 */
export interface HostDescription {
  /** Links read it whenever they say Hello, so it is written in place. */
  readonly introduction: { -readonly [Key in keyof Introduction]: Introduction[Key] };
  facts: object | undefined;
  inventory: Inventory;
}

/** The hardware class of a host whose facts are not known. */
const unknownClass = "unknown";

export function createHostDescription(
  host: string,
  { id: identity, machine }: Pick<Identity, "id" | "machine">,
): HostDescription {
  const inventory = { cpu: { threads: availableParallelism() }, os: { kernel: release(), architecture: arch() } };
  const inventoryJson = JSON.stringify(inventory);
  const introduction = { host, agentVersion: version, hardwareClass: unknownClass, inventoryJson, identity, machine };
  return { introduction, facts: undefined, inventory };
}

/** What was found out of a host. */
export interface Findings {
  readonly facts?: object;
  readonly hardwareClass?: string;
  readonly inventory?: Inventory;
}

/** Takes in what was found out. Returns whether it is new. */
export function updateDescription(description: HostDescription, found: Findings): boolean {
  const { introduction } = description;
  const before = { ...introduction };
  description.facts = found.facts ?? description.facts;
  description.inventory = found.inventory ?? description.inventory;
  introduction.hardwareClass = found.hardwareClass ?? introduction.hardwareClass;
  introduction.inventoryJson = JSON.stringify({ ...description.inventory, facts: description.facts });
  return introduction.hardwareClass !== before.hardwareClass || introduction.inventoryJson !== before.inventoryJson;
}

/** Makes the point that tells it between two Hellos: what a collector stores at a Hello. */
export function introductionToPoint(introduction: Introduction, timeUs: number): Point {
  const { agentVersion, hardwareClass, inventoryJson } = introduction;
  const fields = { version: agentVersion, hardware_class: hardwareClass, inventory: inventoryJson };
  return { measurement: "agent", tags: {}, timeUs, fields };
}

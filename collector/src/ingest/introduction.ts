import type { Batch } from "@fleetmark/shared/model/batch";
import type { AgentHello, HostState } from "../fleet/fleet.js";
import { isJsonObject } from "./hello.js";

/** The fields by which an agent tells between two Hellos what it has found out since, and what they are in a Hello. */
const fields: Readonly<Record<string, Exclude<keyof AgentHello, "host"> | undefined>> = {
  version: "version",
  hardware_class: "hwClass",
  inventory: "inventoryJson",
};

function readIntroduction({ series, texts }: Batch): Partial<AgentHello> {
  const found: Partial<Record<keyof AgentHello, string>> = {};
  for (const [i, index] of texts.series.entries()) {
    const { measurement, tags, field } = series[index];
    const key = fields[field];
    if (measurement === "agent" && key !== undefined && Object.keys(tags).every((tag) => tag === "host"))
      found[key] = texts.values[i];
  }
  return found;
}

/**
 * Takes what a batch tells of its host into what the host's Hello said. What tells of another version is older: the
 * agent before this one left it in the spool.
 */
export function noticeIntroduction(state: HostState, batch: Batch): void {
  if (state.hello === undefined || batch.texts.series.length === 0) return;
  const { version, hwClass, inventoryJson } = readIntroduction(batch);
  if (version !== state.hello.version || hwClass === undefined || !isJsonObject(inventoryJson ?? "")) return;
  state.hello = { ...state.hello, hwClass, inventoryJson: inventoryJson ?? "{}" };
}

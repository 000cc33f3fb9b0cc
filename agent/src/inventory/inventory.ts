import { fileURLToPath } from "node:url";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { seriesLimits } from "@fleetmark/shared/model/series";
import { runTool } from "@fleetmark/shared/tools/tool-runner";
import { z } from "zod";

/** Facts about the host that do not change while it runs. */
export type Inventory = Record<string, unknown>;

/** Longest inventory that is taken over, bytes: with the facts beside it, it must fit a text of the wire. */
const maxBytes = seriesLimits.textLength / 2;

const inventorySchema = z.record(z.string(), z.unknown());

/** The child's program lies beside this one. */
const childPath = fileURLToPath(new URL("./inventory-child.js", import.meta.url));

/**
 * Asks a child process what this host is made of: CPU, memory, board, BIOS, operating system, GPUs, virtualisation.
 * The child is killed, with the tools that it runs, after `deadlineS` seconds or when `signal` aborts; it is not
 * waited for.
 * @throws FleetmarkError PROBE_FAILED
 */
export async function readInventory(deadlineS: number, signal: AbortSignal): Promise<Inventory> {
  const outcome = await runTool("inventory", process.execPath, [childPath], { deadlineS, maxBytes, signal });
  if (outcome.state !== "ok") throw new FleetmarkError("PROBE_FAILED", `inventory: ${outcome.reason}`);
  try {
    return inventorySchema.parse(JSON.parse(outcome.stdout));
  } catch (cause) {
    throw new FleetmarkError("PROBE_FAILED", `inventory: ${errorMessage(cause)}`, { cause });
  }
}

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { seriesLimits } from "@fleetmark/shared/model/series";
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
 * The child is killed after `timeoutS` seconds or when `signal` aborts.
 * @throws FleetmarkError PROBE_FAILED
 */
export async function readInventory(timeoutS: number, signal: AbortSignal): Promise<Inventory> {
  const options = { timeout: timeoutS * 1000, killSignal: "SIGKILL", maxBuffer: maxBytes, signal } as const;
  const text = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [childPath], options, (error, stdout) => {
      if (error === null) return resolve(stdout);
      const message = error.killed ? `no answer within ${timeoutS} s` : errorMessage(error);
      reject(new FleetmarkError("PROBE_FAILED", `inventory: ${message}`, { cause: error }));
    });
  });
  try {
    return inventorySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FleetmarkError("PROBE_FAILED", `inventory: ${errorMessage(cause)}`, { cause });
  }
}

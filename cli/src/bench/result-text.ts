import { readFile } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";

/** Reads the text of a file of results, or of what goes with them. @throws FleetmarkError RESULT_FILE_INVALID */
export async function readResultText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new FleetmarkError("RESULT_FILE_INVALID", `${path}: ${errorMessage(cause)}`, { cause });
  }
}

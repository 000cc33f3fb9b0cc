import { appendFileSync, rmSync } from "node:fs";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";

/** What of a file is not stored: kept in a file of its own, each with its number and the reason. */
export interface Rejects {
  readonly path: string;
  count: number;
  /** The first of the reasons. */
  readonly reasons: string[];
}

const shownReasons = 5;

/** Begins anew: a repeated import tells of itself alone. The file is made when there is something to keep. */
export function createRejects(path: string): Rejects {
  rmSync(path, { force: true });
  return { path, count: 0, reasons: [] };
}

/** @throws FleetmarkError FILE_FAILED */
export function addReject(rejects: Rejects, number: number, reason: string, text: string): void {
  rejects.count++;
  if (rejects.reasons.length < shownReasons) rejects.reasons.push(`line ${number}: ${reason}`);
  try {
    appendFileSync(rejects.path, `# line ${number}: ${reason.replaceAll("\n", " ")}\n${text}\n`);
  } catch (cause) {
    throw new FleetmarkError("FILE_FAILED", `cannot keep a rejected line: ${errorMessage(cause)}`, { cause });
  }
}

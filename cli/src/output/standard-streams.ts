import { FleetmarkError } from "@fleetmark/shared/errors";
import { reportFailure } from "./failure.js";

/**
 * What becomes of a command whose output nobody takes:
 *
 *   stdout's reader has gone (`| head -1`) ─► it saw enough: the work goes on, the exit code is the work's own
 *   stdout can't be written (a full disk) ──► said on stderr once, and exit code 3 in the end
 *   stderr can't be written ────────────────► nobody can be told: the work goes on, the exit code is the work's own
 */
export function guardStandardStreams(): void {
  let hasFailed = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || hasFailed) return;
    hasFailed = true;
    reportFailure(new FleetmarkError("OUTPUT_FAILED", `standard output can't be written: ${error.message}`));
  });
  process.stderr.on("error", () => {});
  // Code 1 says that something was found, which nobody could read.
  process.on("exit", (code) => {
    if (hasFailed && code < 2) process.exitCode = 3;
  });
}

/** Tells when nobody reads stderr any more: whoever only watched has nothing left to do. */
export function onReaderGone(tellGone: () => void): void {
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") tellGone();
  });
}

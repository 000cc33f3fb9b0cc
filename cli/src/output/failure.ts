import { type ExitCode, FleetmarkError } from "@fleetmark/shared/errors";
import pc from "picocolors";

/** Tells a person on stderr what went wrong and what to do, and returns the exit code. */
export function reportFailure(error: Error): ExitCode {
  const colour = pc.createColors(process.stderr.isTTY === true && process.env.NO_COLOR === undefined);
  if (error instanceof FleetmarkError) {
    process.stderr.write(`${colour.red("error")} ${colour.bold(error.code)}: ${error.message}\n${error.remedy}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${colour.red("error")} ${colour.bold("INTERNAL")}: ${error.stack ?? error.message}\n`);
  process.stderr.write(`${new FleetmarkError("INTERNAL", error.message).remedy}\n`);
  return 3;
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { tell } from "./message.js";
import { chooseColours } from "./terminal.js";
import { escapeControls } from "./width.js";

/** What others wrote may hold anything; the lines of a message are its own. */
function escapeLines(text: string): string {
  return text.split("\n").map(escapeControls).join("\n");
}

/** Tells a person on stderr what went wrong and what to do, and returns the exit code. */
export function reportFailure(error: Error): number {
  const colour = chooseColours(process.stderr);
  const [code, message, remedy, exitCode] =
    error instanceof FleetmarkError
      ? [error.code, error.message, error.remedy, error.exitCode]
      : ["INTERNAL", error.stack ?? error.message, new FleetmarkError("INTERNAL", "").remedy, 3];
  tell(`${colour.red("error")} ${colour.bold(code)}: ${escapeLines(message)}\n${remedy}`);
  return exitCode;
}

import { FleetmarkError } from "@fleetmark/shared/errors";
import { CommanderError } from "commander";
import { addAgentCommand, addCollectorCommand } from "./commands/daemons.js";
import { reportFailure } from "./output/failure.js";
import { buildProgram } from "./program.js";

/** A daemon loads its own command alone: the others would cost it tens of megabytes for as long as it runs. */
const isDaemon = ["agent", "collector"].includes(process.argv[2] ?? "");
const addCommands = isDaemon ? undefined : (await import("./commands/registry.js")).addAllCommands;
const program = buildProgram((each) => {
  if (addCommands !== undefined) return addCommands(each);
  addAgentCommand(each);
  addCollectorCommand(each);
});

// A reader that goes away (`fleetmark results | head`) ends the command quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 3);
});

try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else if (thrown instanceof FleetmarkError || thrown instanceof Error) process.exitCode = reportFailure(thrown);
  else throw thrown;
}

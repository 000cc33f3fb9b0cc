import { FleetmarkError } from "@fleetmark/shared/errors";
import { version } from "@fleetmark/shared/version";
import { Command, CommanderError } from "commander";
import { addAgentCommand, addCollectorCommand } from "./commands/daemons.js";
import { reportFailure } from "./output/failure.js";

const program = new Command("fleetmark")
  .description("Continuous performance benchmarking for fleets that run industrial reinforcement learning.")
  .version(version)
  .showHelpAfterError("See --help for the options and examples.")
  .showSuggestionAfterError()
  .exitOverride()
  .addHelpText(
    "after",
    `
Examples:
  fleetmark up                   benchmark this machine, then keep watching it
  fleetmark up --once --json     the same, end after the suite, one JSON document
  fleetmark results              what was measured last
  fleetmark doctor               what this host can run, and why not the rest

Exit codes: 0 done, 1 a breached alert threshold was found, 2 bad usage or configuration, 3 the work could not be done.`,
  );

/** A daemon loads its own command alone: the others would cost it tens of megabytes for as long as it runs. */
const isDaemon = ["agent", "collector"].includes(process.argv[2] ?? "");
if (isDaemon) {
  addAgentCommand(program);
  addCollectorCommand(program);
} else {
  const { addAllCommands } = await import("./commands/registry.js");
  addAllCommands(program);
}

function copyExitOverride(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride().showSuggestionAfterError();
    child.showHelpAfterError(`See \`fleetmark ${child.name()} --help\` for the options and examples.`);
    copyExitOverride(child);
  }
}
copyExitOverride(program);

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

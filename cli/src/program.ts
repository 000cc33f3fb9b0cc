import { version } from "@fleetmark/shared/version";
import { Command } from "commander";

const examples = `
Examples:
  fleetmark up                   benchmark this machine, then keep watching it
  fleetmark up --once --json     the same, end after the suite, one JSON document
  fleetmark results              what was measured last
  fleetmark doctor               what this host can run, and why not the rest

Exit codes: 0 done, 1 a breached alert threshold was found, 2 bad usage or configuration, 3 the work could not be done.`;

/** Makes every command below one end as it does, and say what its help can tell. */
function prepareCommands(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride().showSuggestionAfterError();
    child.showHelpAfterError(`See \`fleetmark ${child.name()} --help\` for the options and examples.`);
    prepareCommands(child);
  }
}

/**
 * Builds the command `fleetmark`. Nothing is run and nothing printed before it parses arguments; what is wrong with
 * those it throws.
 * @param addCommands adds what it offers
 */
export function buildProgram(addCommands: (program: Command) => void): Command {
  const program = new Command("fleetmark")
    .description("Continuous performance benchmarking for fleets that run industrial reinforcement learning.")
    .version(version)
    .showHelpAfterError("See --help for the options and examples.")
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", examples);
  addCommands(program);
  prepareCommands(program);
  return program;
}

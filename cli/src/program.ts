import { findNearest } from "@fleetmark/shared/model/nearest";
import { version } from "@fleetmark/shared/version";
import { Command, type Help } from "commander";
import { readWidth, takesColours } from "./output/terminal.js";
import { escapeControls, pad, wrapText } from "./output/width.js";
import { commandEntries, findCalled } from "./registry.js";

const overview = `
Examples:
  fleetmark up                   benchmark this machine, then keep watching it
  fleetmark up --once --json     the same, end after the suite, one JSON document
  fleetmark results              what was measured last
  fleetmark kpis                 how each host stands against its targets
  fleetmark compare gpu-7 gpu-8  which of two hosts is faster, and by how much
  fleetmark doctor               what this host can run, and why not the rest

Exit codes:
  0    done
  1    a regression or a breached alert threshold was found
  2    bad usage or configuration
  3    the work could not be done, or its output not be written
  130  interrupted by Ctrl-C; 143 by SIGTERM, 129 by the terminal's end`;

/** Lets every command throw instead of exiting, and say where more stands after an error. */
function copySettings(command: Command, path: string): void {
  for (const child of command.commands) {
    const childPath = `${path} ${child.name()}`;
    child.copyInheritedSettings(command).showHelpAfterError(`See \`${childPath} --help\` for the options and examples.`);
    copySettings(child, childPath);
  }
}

/** So many cells a description has at least, or it stands below what it describes. */
const leastDescription = 40;

function formatHelpItem(term: string, termWidth: number, description: string, { helpWidth = 80 }: Help): string {
  const column = 2 + termWidth + 2;
  if (description === "") return `  ${term}`;
  if (helpWidth - column < leastDescription) return `  ${term}\n${wrapText(`      ${description}`, helpWidth)}`;
  const [first, ...others] = wrapText(description, helpWidth - column).split("\n");
  return [`  ${pad(term, termWidth, "left")}  ${first}`, ...others.map((line) => " ".repeat(column) + line)].join("\n");
}

function widthOf(stream: NodeJS.WriteStream): number {
  const width = readWidth(stream);
  return Number.isFinite(width) ? width : 80;
}

/** Ends with an error that names the nearest command, also where help was asked for. */
function refuseUnknown(program: Command, called: string): void {
  const names = commandEntries.map(({ name }) => name);
  if (called === "help" || names.includes(called)) return;
  const nearest = findNearest(called, names);
  const hint = nearest === undefined ? "" : `\n(Did you mean ${nearest}?)`;
  program.error(`error: unknown command '${escapeControls(called)}'${hint}`, { exitCode: 2 });
}

/**
 * Builds the program for these arguments: the command that they call is loaded, of the others the help's line alone.
 */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("fleetmark")
    .description("Continuous performance benchmarking for fleets that run industrial reinforcement learning.")
    .version(version)
    .showHelpAfterError("See `fleetmark --help` for the commands and examples.")
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ formatItem: formatHelpItem })
    .configureOutput({
      writeOut: (text) => process.stdout.write(wrapText(text, readWidth(process.stdout))),
      writeErr: (text) => process.stderr.write(wrapText(text, readWidth(process.stderr))),
      getOutHelpWidth: () => widthOf(process.stdout),
      getErrHelpWidth: () => widthOf(process.stderr),
      getOutHasColors: () => takesColours(process.stdout),
      getErrHasColors: () => takesColours(process.stderr),
    })
    .addHelpText("after", overview);
  const called = findCalled(args);
  if (called !== undefined) refuseUnknown(program, called);
  for (const { name, description, load } of commandEntries) {
    const command = program.command(name).description(description);
    if (name === called) (await load())(command);
  }
  copySettings(program, "fleetmark");
  return program;
}

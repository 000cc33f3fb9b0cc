import { configJsonSchema } from "@fleetmark/shared/config/config";
import { errorCatalogue } from "@fleetmark/shared/errors";
import { type Command, Option } from "commander";
import { findConfigProblems } from "../checks/config-findings.js";
import { type DaemonKind, loadDaemonConfig } from "../checks/daemon-config.js";
import { type Finding, findingIndent, formatFindings, hasProblem } from "../checks/finding.js";
import { configSchemas } from "../config/config-schemas.js";
import { printWrapped } from "../output/message.js";
import { chooseColours } from "../output/terminal.js";

interface CheckOptions {
  readonly for: DaemonKind;
  readonly json?: boolean;
}

function addProcessOption(command: Command): Command {
  return command.addOption(
    new Option("--for <process>", "whose configuration").choices(Object.keys(configSchemas)).makeOptionMandatory(),
  );
}

export function defineConfig(config: Command): void {
  addProcessOption(
    config.command("check").description("check a configuration file and what it names, and print it with its defaults"),
  )
    .argument("<file>", "a YAML file")
    .option("--json", "one JSON document on stdout: {config, checks}")
    .addHelpText(
      "after",
      `
Files, certificates, suites and ports that it names are looked at too: exit code 2 if one is wrong, 3 if only a port is taken.

Example:
  fleetmark config check --for agent agent.yaml`,
    )
    .action(async (file: string, options: CheckOptions) => {
      process.exitCode = await checkConfig(file, options);
    });
  addProcessOption(config.command("schema").description("print the JSON Schema of a configuration file"))
    .addHelpText("after", "\nExample:\n  fleetmark config schema --for collector > collector.schema.json")
    .action((options: { for: DaemonKind }) => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(configSchemas[options.for]), null, 2)}\n`);
    });
}

/** The configuration goes to stdout, for programs; what was looked at to stderr, unless all of it is to be JSON. */
async function checkConfig(file: string, options: CheckOptions): Promise<number> {
  const daemon = loadDaemonConfig(options.for, file, {});
  const checks = await findConfigProblems(daemon);
  const shown = options.json ? { config: daemon.config, checks } : daemon.config;
  process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
  if (!options.json) printWrapped(process.stderr, formatFindings(checks, chooseColours(process.stderr)), findingIndent);
  return hasProblem(checks) ? chooseExitCode(checks) : 0;
}

function chooseExitCode(checks: readonly Finding[]): 2 | 3 {
  const codes = checks.flatMap(({ status, code }) =>
    status === "problem" && code !== undefined ? [errorCatalogue[code].exit] : [],
  );
  return codes.includes(2) ? 2 : 3;
}

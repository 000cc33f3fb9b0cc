import { configJsonSchema, loadConfig } from "@fleetmark/shared/config/config";
import { type Command, Option } from "commander";
import { configSchemas } from "../config/config-schemas.js";

type ProcessName = keyof typeof configSchemas;

function addProcessOption(command: Command): Command {
  return command.addOption(
    new Option("--for <process>", "whose configuration").choices(Object.keys(configSchemas)).makeOptionMandatory(),
  );
}

export function defineConfig(config: Command): void {
  addProcessOption(config.command("check").description("check a configuration file and print it with its defaults"))
    .argument("<file>", "a YAML file")
    .addHelpText("after", "\nExample:\n  fleetmark config check --for agent agent.yaml")
    .action((file: string, options: { for: ProcessName }) => {
      const loaded = loadConfig(configSchemas[options.for], { file, environment: {}, flags: {} });
      process.stdout.write(`${JSON.stringify(loaded, null, 2)}\n`);
    });
  addProcessOption(config.command("schema").description("print the JSON Schema of a configuration file"))
    .addHelpText("after", "\nExample:\n  fleetmark config schema --for collector > collector.schema.json")
    .action((options: { for: ProcessName }) => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(configSchemas[options.for]), null, 2)}\n`);
    });
}

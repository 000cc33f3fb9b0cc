import { checkStore } from "@fleetmark/collector";
import type { Command } from "commander";
import { addConfigFlags, readConfig } from "../config-flags.js";
import { configSchemas } from "../config-schemas.js";
import { chooseColours } from "../terminal.js";

export function addStoreCommand(program: Command): void {
  const store = program.command("store").description("check the store that a collector is configured for");
  const check = store
    .command("check")
    .description("write one point and read it back; exit code 3 if the collector could not work with this store")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("--json", "the checks as JSON")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark store check --config collector.yaml
  fleetmark store check --store-kind influxdb --store-url http://127.0.0.1:8086 --store-database fleetmark`,
    );
  addConfigFlags(check, configSchemas.collector);
  check.action(async (options: { json?: boolean }) => {
    const checks = await checkStore(readConfig(check, configSchemas.collector));
    const colour = chooseColours(process.stdout);
    const lines = checks.map(({ step, ok, detail, seconds }) => {
      const verdict = ok ? colour.green("ok    ") : colour.red("failed");
      return `${verdict}  ${step.padEnd(5)}  ${detail}  (${Math.round(seconds * 1e3)} ms)\n`;
    });
    process.stdout.write(options.json ? `${JSON.stringify(checks, null, 2)}\n` : lines.join(""));
    process.exitCode = checks.every(({ ok }) => ok) ? 0 : 3;
  });
}

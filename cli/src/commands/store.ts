import { createInterface } from "node:readline/promises";
import { checkStore, planStoreSetup, type SetupPlan } from "@fleetmark/collector";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Command } from "commander";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { printWrapped } from "../output/message.js";
import { createProgressLine } from "../output/progress-line.js";
import { chooseColours } from "../output/terminal.js";
import { addBackupCommand, addRestoreCommand } from "./store-backup.js";
import { addExportCommand, addImportCommand } from "./store-move.js";
import { addRetainCommand } from "./store-retain.js";

export function defineStore(store: Command): void {
  addCheckCommand(store);
  addSetupCommand(store);
  addRetainCommand(store);
  addBackupCommand(store);
  addRestoreCommand(store);
  addExportCommand(store);
  addImportCommand(store);
}

function addCheckCommand(store: Command): void {
  const check = store
    .command("check")
    .description("look at the store, write one point and read it back; exit code 3 if a collector could not work with it")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("--deep", "read everything that a data file holds, too, while no collector has it")
    .option("--json", "the checks as JSON")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark store check --config collector.yaml
  fleetmark store check --deep --data-dir ./fleetmark-data
  fleetmark store check --store-kind influxdb --store-url http://127.0.0.1:8086 --store-database fleetmark`,
    );
  addConfigFlags(check, configSchemas.collector);
  check.action(async (options: { json?: boolean; deep?: boolean }) => {
    const progress = createProgressLine();
    const onProgress = (share: number): void => progress.show("deep", `reading: ${Math.round(100 * share)} %`);
    const config = readConfig(check, configSchemas.collector);
    const checks = await checkStore(config, options.deep ? { onProgress } : undefined).finally(() => progress.clear());
    const colour = chooseColours(process.stdout);
    const lines = checks.map(({ step, ok, detail, seconds }) => {
      const verdict = ok ? colour.green("ok    ") : colour.red("failed");
      return `${verdict}  ${step.padEnd(8)}  ${detail}  (${Math.round(seconds * 1e3)} ms)\n`;
    });
    if (options.json) process.stdout.write(`${JSON.stringify(checks, null, 2)}\n`);
    else printWrapped(process.stdout, lines.join(""), " ".repeat(18));
    process.exitCode = checks.every(({ ok }) => ok) ? 0 : 3;
  });
}

interface SetupOptions {
  readonly adminTokenFile?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

function addSetupCommand(store: Command): void {
  const setup = store
    .command("setup")
    .description("make the database or bucket, what keeps its data as long as store.retention says, and what rolls it up")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("--admin-token-file <file>", "credentials that may set up (1.x: user:password), where the collector's own may not")
    .option("-y, --yes", "do it without asking")
    .option("--dry-run", "print what would be done, and do nothing")
    .option("--json", "the steps as JSON; with --yes or --dry-run")
    .addHelpText(
      "after",
      `
It prints what it would do, then asks. Done twice, it changes nothing the second time.

Examples:
  fleetmark store setup --config collector.yaml --dry-run
  fleetmark store setup --config collector.yaml --admin-token-file /root/influx-admin`,
    );
  addConfigFlags(setup, configSchemas.collector);
  setup.action(async (options: SetupOptions) => {
    const decided = options.yes === true || options.dryRun === true;
    if (!decided && (options.json === true || process.stdin.isTTY !== true)) {
      throw new FleetmarkError("USAGE", "nobody is there to ask: add --yes to do it, or --dry-run to see it");
    }
    const plan = await planStoreSetup(readConfig(setup, configSchemas.collector), options.adminTokenFile);
    if (options.json !== true) printWrapped(process.stdout, describePlan(plan), "   ");
    const isWanted = plan.steps.length > 0 && options.dryRun !== true && (options.yes === true || (await askPerson()));
    if (isWanted) await runPlan(plan, options.json !== true);
    if (options.json === true) {
      const { server, wish, notes } = plan;
      const steps = plan.steps.map(({ what, request, deletes }) => ({ what, request, deletes, done: isWanted }));
      process.stdout.write(`${JSON.stringify({ server, wish, steps, notes }, null, 2)}\n`);
    }
  });
}

function describePlan({ server, wish, steps, notes }: SetupPlan): string {
  const colour = chooseColours(process.stdout);
  const lines = [`${server}: ${wish}`];
  steps.forEach(({ what, request, deletes }, i) => {
    lines.push(`${i + 1}. ${what}${deletes ? colour.red("; what is older goes") : ""}`);
    lines.push(...request.split("\n").map((line) => colour.dim(`   ${line}`)));
  });
  if (steps.length === 0) lines.push("nothing to do");
  return `${[...lines, ...notes].join("\n")}\n`;
}

async function askPerson(): Promise<boolean> {
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await dialogue.question("Do it? [y/N] ")).trim());
  } finally {
    dialogue.close();
  }
}

async function runPlan({ steps }: SetupPlan, shows: boolean): Promise<void> {
  const colour = chooseColours(process.stdout);
  for (const [i, step] of steps.entries()) {
    await step.run();
    if (shows) process.stdout.write(`${colour.green("done")}  ${i + 1}. ${step.what}\n`);
  }
}

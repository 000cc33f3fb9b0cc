import { backUpStore, restoreStore } from "@fleetmark/collector";
import { formatBytes } from "@fleetmark/shared/model/numbers";
import type { Command } from "commander";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { printJson, tell } from "../output/message.js";
import { createProgressLine } from "../output/progress-line.js";
import { awaitInterruption } from "../processes/interruption.js";

/** Shows how far a copy has come, until it ends. */
async function showBytes<T>(what: string, act: (onBytes: (done: number, all: number) => void) => Promise<T>): Promise<T> {
  const progress = createProgressLine();
  try {
    return await act((done, all) => progress.show(what, `${what}: ${formatBytes(done)} of ${formatBytes(all)}`));
  } finally {
    progress.clear();
  }
}

export function addBackupCommand(store: Command): void {
  const backup = store
    .command("backup <folder>")
    .description("copy the data file as it is now into a folder that is not there yet, while the collector runs or not")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("--json", "what was copied as JSON")
    .addHelpText(
      "after",
      `
Hosts go on sending meanwhile. What they send after the copy began is not in it.

Examples:
  fleetmark store backup /backups/fleetmark-2026-11-26 --data-dir ./fleetmark-data
  fleetmark store backup /backups/today --config collector.yaml --json`,
    );
  addConfigFlags(backup, configSchemas.collector);
  backup.action(async (folder: string, { json }: { json?: boolean }) => {
    const config = readConfig(backup, configSchemas.collector);
    const interruption = awaitInterruption();
    try {
      const { signal } = interruption;
      const manifest = await showBytes("copying", (onBytes) => backUpStore(config, folder, { onBytes, signal }));
      if (json) printJson(manifest);
      else tell(`${formatBytes(manifest.bytes)} in ${folder}`);
    } catch (thrown) {
      if (interruption.caught() === undefined) throw thrown;
      tell("interrupted: nothing was kept");
      process.exitCode = interruption.caught();
    } finally {
      interruption.release();
    }
  });
}

export function addRestoreCommand(store: Command): void {
  const restore = store
    .command("restore <folder>")
    .description("put the data file of a backup in its place, while no collector runs")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("-y, --yes", "move a data file that is there aside")
    .option("--json", "what was done as JSON")
    .addHelpText(
      "after",
      `
The backup is checked to the last byte before it takes anything's place. What agents were told is stored since it was
made is missing then: they don't send it again.

Examples:
  fleetmark store restore /backups/today --data-dir ./fleetmark-data
  fleetmark store restore /backups/today --config collector.yaml --yes`,
    );
  addConfigFlags(restore, configSchemas.collector);
  restore.action(async (folder: string, { yes, json }: { yes?: boolean; json?: boolean }) => {
    const config = readConfig(restore, configSchemas.collector);
    const aside = await showBytes("restoring", (onBytes) => restoreStore(config, folder, yes === true, onBytes));
    if (json) printJson({ restored: folder, data_dir: config.data_dir, moved_aside: aside ?? null });
    else tell(`${folder} is in ${config.data_dir}${aside === undefined ? "" : `; the file that was there is ${aside} now`}`);
  });
}

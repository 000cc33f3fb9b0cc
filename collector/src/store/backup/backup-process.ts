import { fileURLToPath } from "node:url";
import { type OnBytes, runChildTask } from "../../platform/child-task.js";
import type { BackupManifest } from "./backup.js";

const program = fileURLToPath(new URL("backup-child.js", import.meta.url));

/**
 * Makes a backup in a process of its own.
 * @param signal ends it early, and leaves nothing behind
 * @throws FleetmarkError as `makeBackup` does
 */
export async function backUpApart(
  dataFile: string,
  folder: string,
  nowUs: number,
  onBytes: OnBytes,
  signal?: AbortSignal,
): Promise<BackupManifest> {
  const task = { program, args: [dataFile, folder, String(nowUs)], what: `the copying of ${dataFile}`, onBytes, signal };
  return (await runChildTask(task)) as BackupManifest;
}

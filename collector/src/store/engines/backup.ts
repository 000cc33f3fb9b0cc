import { join, resolve } from "node:path";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import type { OnBytes } from "../../platform/child-task.js";
import { readClockUs } from "../../platform/clock.js";
import { readManifest, restoreBackup } from "../backup/backup.js";
import { backUpApart } from "../backup/backup-process.js";
import { forgetRequest, readBackupAnswer, requestBackup, requireDone } from "../backup/backup-requests.js";
import { dataFileName } from "../duckdb/file/data-file.js";
import { openConfiguredReader, openConfiguredStore, type StoreLocation } from "./registry.js";

const lookEveryMs = 200;
/** A collector that has not answered by then does not look for requests. */
const answerWithinMs = 30_000;

export interface BackupOptions {
  readonly onBytes: OnBytes;
  /** Ends it early, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/** @throws FleetmarkError USAGE where the store is a server */
function requireFile({ store }: StoreLocation): void {
  if (store.kind === "duckdb") return;
  throw new FleetmarkError("USAGE", "InfluxDB has backups of its own: influxd backup (1.x), influx backup (2.x)");
}

/** Waits until the collector that holds the data file has made the backup. */
async function awaitBackup(dataDir: string, folder: string, { onBytes, signal }: BackupOptions): Promise<void> {
  const request = await requestBackup(dataDir, folder);
  const until = performance.now() + answerWithinMs;
  try {
    for (;;) {
      const answer = await readBackupAnswer(request);
      if (answer !== undefined) {
        if (answer.bytes > 0) onBytes(answer.bytes_done, answer.bytes);
        requireDone(answer);
        if (answer.done) return;
      } else if (performance.now() > until) {
        throw new FleetmarkError("COLLECTOR_UNREACHABLE", "the process that holds the data file does not answer");
      }
      signal?.throwIfAborted();
      await new Promise((done) => setTimeout(done, lookEveryMs));
    }
  } finally {
    await forgetRequest(request);
  }
}

/**
 * Backs up a data file into a folder that is not there yet, while a collector runs or not.
 * @throws FleetmarkError USAGE, DATA_MISSING, FILE_FAILED, and as opening the store does
 */
export async function backUpStore(location: StoreLocation, into: string, options: BackupOptions) {
  requireFile(location);
  const { store: config, data_dir } = location;
  const folder = resolve(into);
  try {
    // To be opened for writing, what is not there would be made.
    await (await openConfiguredReader(config, data_dir)).close();
    const store = await openConfiguredStore(config, data_dir, async () => {});
    try {
      await store.freeze(async (path) => void (await backUpApart(path, folder, readClockUs(), options.onBytes, options.signal)));
    } finally {
      await store.close();
    }
  } catch (thrown) {
    if (!(thrown instanceof FleetmarkError && thrown.code === "DATA_LOCKED")) throw thrown;
    await awaitBackup(data_dir, folder, options);
  }
  return readManifest(folder);
}

/**
 * Puts a backup in the place of a data file that no collector holds.
 * @param isAllowed whether a file that is there may be moved aside
 * @returns the name under which the former file lies beside it now
 * @throws FleetmarkError USAGE, DATA_LOCKED, BACKUP_INVALID, FILE_FAILED
 */
export async function restoreStore(
  location: StoreLocation,
  from: string,
  isAllowed: boolean,
  onBytes: OnBytes,
): Promise<string | undefined> {
  requireFile(location);
  const { store: config, data_dir } = location;
  await readManifest(from);
  let isThere = true;
  try {
    await (await openConfiguredReader(config, data_dir)).close();
  } catch (thrown) {
    const code = thrown instanceof FleetmarkError ? thrown.code : undefined;
    if (code === "DATA_LOCKED") throw thrown;
    // A damaged file is what a backup is for.
    isThere = code !== "DATA_MISSING";
  }
  if (isThere && !isAllowed) {
    throw new FleetmarkError(
      "USAGE",
      `there is a data file in ${data_dir}: add --yes to move it aside, or name another --data-dir`,
    );
  }
  await makeFolder(data_dir, 0o700);
  const aside = await restoreBackup(from, join(resolve(data_dir), dataFileName), readClockUs(), onBytes);
  await (await openConfiguredReader(config, data_dir)).close();
  return aside;
}

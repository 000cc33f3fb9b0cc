import { randomUUID } from "node:crypto";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, FleetmarkError, isErrorCode, toFleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { z } from "zod";

/**
 * How a person asks the collector that holds a data file for a backup: by a file in `requests/` below the data
 * directory, which only its owner may write. The answer lies beside it.
 */

const folderName = "requests";
const requestPattern = /^backup-[0-9a-f-]{36}\.json$/;
const lookEveryMs = 500;

const requestSchema = z.object({ folder: z.string().min(1) });

const answerSchema = z.object({
  done: z.boolean(),
  bytes_done: z.number(),
  bytes: z.number(),
  code: z.string().nullable(),
  message: z.string(),
});

/** How far a backup has come, or how it ended. */
export type BackupAnswer = z.infer<typeof answerSchema>;

const answerTo = (path: string): string => `${path}.answer`;

async function writeWhole(path: string, value: object): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Asks for a backup into a folder. @returns what tells the request from others */
export async function requestBackup(dataDir: string, folder: string): Promise<string> {
  const requests = join(dataDir, folderName);
  await makeFolder(requests, 0o700);
  const path = join(requests, `backup-${randomUUID()}.json`);
  await writeWhole(path, { folder });
  return path;
}

/** Reads the answer so far; undefined while there is none. */
export async function readBackupAnswer(request: string): Promise<BackupAnswer | undefined> {
  try {
    return answerSchema.parse(JSON.parse(await readFile(answerTo(request), "utf8")));
  } catch {
    return undefined;
  }
}

/** Takes a request back, and what was answered. */
export async function forgetRequest(request: string): Promise<void> {
  await rm(request, { force: true });
  await rm(answerTo(request), { force: true });
}

/** @throws FleetmarkError of the code that the collector gave */
export function requireDone({ done, code, message }: BackupAnswer): void {
  if (!done && code !== null) throw new FleetmarkError(isErrorCode(code) ? code : "COLLECTOR_FAILED", message);
}

export interface BackupRequestsOptions {
  readonly dataDir: string;
  readonly logger: Logger;
  /** Makes a backup. @throws FleetmarkError */
  backUp(folder: string, onBytes: (done: number, all: number) => void): Promise<void>;
}

async function answer({ logger, backUp }: BackupRequestsOptions, request: string): Promise<void> {
  let [bytes_done, bytes, toldMs] = [0, 0, 0];
  const tell = (more: Partial<BackupAnswer>): Promise<void> =>
    writeWhole(answerTo(request), { done: false, bytes_done, bytes, code: null, message: "", ...more });
  try {
    const { folder } = requestSchema.parse(JSON.parse(await readFile(request, "utf8")));
    await backUp(folder, (done, all) => {
      [bytes_done, bytes] = [done, all];
      if (performance.now() - toldMs < lookEveryMs) return;
      toldMs = performance.now();
      void tell({}).catch(() => {});
    });
    await rm(request, { force: true });
    await tell({ done: true });
    logger.info({ event: "store_backed_up", folder, bytes }, "the data file was backed up");
  } catch (thrown) {
    const error = toFleetmarkError(thrown, errorMessage(thrown), () => {});
    await rm(request, { force: true });
    await tell({ code: error.code, message: error.message });
    logger.error({ event: "store_backup_failed", code: error.code }, error.message);
  }
}

/** Starts to look for requests. */
export function answerBackupRequests(options: BackupRequestsOptions): Running {
  const folder = join(options.dataDir, folderName);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const names = await readdir(folder).catch(() => []);
    for (const name of names)
      if (!stopped && requestPattern.test(name)) await answer(options, join(folder, name)).catch(() => {});
    if (stopped) return;
    timer = setTimeout(() => void look(), lookEveryMs);
    timer.unref();
  };
  void look();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

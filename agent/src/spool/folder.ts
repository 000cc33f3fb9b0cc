import { stat } from "node:fs/promises";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { closeDisk, recountDisk } from "./disk.js";
import { DiskFailure } from "./disk-failure.js";
import { isLocked, lockSpool } from "./lock.js";
import { type SpoolState, writeLedger } from "./spool-state.js";

/**
 * A handle outlives the name that it was opened by. When the spool's folder is removed, or another is put in its place,
 * what is appended to files that are still open is gone as soon as they are closed. So the folder's identity is
 * compared with what it was, before each commit and every other second.
 */

/** Milliseconds between two looks. */
export const lookEveryMs = 2000;

/** Makes the folder if it is not there, for its owner alone, and returns what tells it from another of its name. */
export async function makeSpoolFolder(dir: string): Promise<string> {
  await makeFolder(dir, 0o700);
  const { dev, ino } = await stat(dir);
  return `${dev} ${ino}`;
}

/** Whether the folder under the spool's name is the one that was opened. */
export async function isInPlace({ options, folder }: SpoolState): Promise<boolean> {
  try {
    const { dev, ino } = await stat(options.dir);
    return folder === `${dev} ${ino}`;
  } catch {
    return false;
  }
}

/** Looks whether the folder is in its place, and asks for a commit, which mends that, where it is not. */
export async function lookAtFolder(state: SpoolState): Promise<void> {
  if (!(await isInPlace(state))) state.worker.schedule();
}

/** Locks the folder that is there now. Where another agent has it, what is new waits in memory until that leaves. */
async function lockAnew(state: SpoolState): Promise<void> {
  const { dir } = state.options;
  try {
    // Releasing a lock removes the socket under its name, which must not be another agent's.
    if (await isLocked(dir)) throw new FleetmarkError("SPOOL_LOCKED", `the spool ${dir} is held by another agent`);
    await state.unlock();
    state.unlock = async () => {};
    state.unlock = await lockSpool(dir);
  } catch (thrown) {
    throw thrown instanceof FleetmarkError ? new DiskFailure(thrown) : thrown;
  }
}

/**
 * Goes on in the folder that is under the spool's name now, or makes it. What was in the one before is looked for, and
 * counted as lost where it is not there. Batches of a folder that was put in its place, of which nothing is known here,
 * wait for the next process.
 */
export async function mendFolder(state: SpoolState): Promise<void> {
  if (await isInPlace(state)) return;
  const { disk, ledger, options } = state;
  const { dir, logger } = options;
  logger.error({ event: "spool_folder_vanished", code: "SPOOL_VANISHED", dir }, "the spool's folder was removed or replaced");
  await closeDisk(disk);
  ledger.close();
  const folder = await makeSpoolFolder(dir);
  await lockAnew(state);
  state.folder = folder;
  state.listener.onMoved();
  await recountDisk(disk);
  writeLedger(state, true);
}

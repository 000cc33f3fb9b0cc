import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { loadStoredBatches } from "./batches/batch-table.js";
import type { WriterState } from "./commit.js";
import { type DataFile, explainOpenFailure, openDataFile, workFolder } from "./file/data-file.js";
import { toStoreFailure } from "./query.js";
import { loadSeriesIndex } from "./series-index.js";
import type { Tail } from "./tail.js";

/**
 * A data file in the hands of its only writer. What the writer knows of the file (its series, the ids of its batches)
 * is in memory and loaded at the opening. After a failure in the midst of a checkpoint the engine refuses everything:
 * then the file is closed, and opened anew by the next change. So it is too when the file was removed or replaced under
 * its name: nothing is acknowledged that went into it since it was last seen in place, and the next change opens what
 * lies there now, or makes it.
 */
export interface HeldFile {
  readonly dataDir: string;
  /** Undefined between a failure of the file and the change that opens it anew. */
  open: OpenFile | undefined;
  /** Ends with the last change that was asked for: they come one after the other. */
  changing: Promise<unknown>;
  /** Ends when a smaller file has taken the place of this one. */
  moving: Promise<unknown>;
  /** Told of what is committed, while the file is being compacted. */
  tail: Tail | undefined;
  /** Whether nothing may be changed any more. */
  isEnding: boolean;
}

export interface OpenFile {
  readonly file: DataFile;
  readonly connection: DuckDBConnection;
  readonly state: WriterState;
}

/**
 * Connects to a file just opened and loads what is kept of it in memory; the file is closed if it turns out to be
 * damaged.
 */
export async function loadFile<T>(file: DataFile, load: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  try {
    return await load(await file.connect());
  } catch (thrown) {
    await file.close();
    throw explainOpenFailure(file.path, thrown);
  }
}

/** Opens the data file of a folder, and makes it where there is none. */
export async function openForWriting(dataDir: string): Promise<OpenFile> {
  const file = await openDataFile(dataDir, { readOnly: false });
  return loadFile(file, async (connection) => {
    const index = await loadSeriesIndex(connection);
    return { file, connection, state: { index, stored: await loadStoredBatches(connection, file.version) } };
  });
}

/** Opens the data file of a folder, and holds it. */
export async function holdFile(dataDir: string): Promise<HeldFile> {
  const open = await openForWriting(dataDir);
  // A compaction that was cut short leaves it.
  await rm(join(dirname(open.file.path), workFolder), { recursive: true, force: true });
  return { dataDir, open, changing: Promise.resolve(), moving: Promise.resolve(), tail: undefined, isEnding: false };
}

/** @throws FleetmarkError STORE_FAILED while it waits to be opened anew */
export function requireOpen({ open }: HeldFile): OpenFile {
  if (open !== undefined) return open;
  throw new FleetmarkError("STORE_FAILED", "the data file failed and waits to be opened anew by the next write");
}

export async function closeHeld(held: HeldFile, abandon = false): Promise<void> {
  const { open } = held;
  held.open = undefined;
  open?.connection.closeSync();
  await open?.file.close(abandon);
}

/** @throws FleetmarkError DATA_VANISHED */
function requireInPlace({ file }: OpenFile, sinceMs?: number): void {
  if (file.isInPlace(sinceMs)) return;
  throw new FleetmarkError(
    "DATA_VANISHED",
    `${file.path} or its log was removed or replaced while it was open; what it held is no longer there`,
  );
}

/** After a failure in the midst of a checkpoint the engine refuses everything until the file is opened anew. */
function isInvalidated(thrown: unknown): boolean {
  return /FATAL|database has been invalidated/i.test(errorMessage(thrown));
}

async function changeNow<T>(held: HeldFile, act: (open: OpenFile) => Promise<T>): Promise<T> {
  try {
    held.open ??= await openForWriting(held.dataDir);
    requireInPlace(held.open);
    const beganMs = Date.now();
    const result = await act(held.open);
    if (held.open !== undefined) requireInPlace(held.open, beganMs);
    return result;
  } catch (thrown) {
    if (isInvalidated(thrown)) await closeHeld(held);
    if (thrown instanceof FleetmarkError && thrown.code === "DATA_VANISHED") await closeHeld(held, true);
    throw toStoreFailure(thrown);
  }
}

/**
 * Does something on the writer's connection, alone, on a file opened anew where it failed before.
 * @throws FleetmarkError STORE_FAILED, also when the file is closed for good
 */
export function change<T>(held: HeldFile, act: (open: OpenFile) => Promise<T>): Promise<T> {
  if (held.isEnding) return Promise.reject(new FleetmarkError("STORE_FAILED", "the store was closed"));
  const changing = held.changing.then(() => changeNow(held, act));
  held.changing = changing.catch(() => {});
  return changing;
}

/**
 * Closes the file for good, after the changes that were asked for. The engine never comes back from a connection that
 * is closed in the midst of a statement, so none may begin meanwhile.
 */
export function endHeld(held: HeldFile): Promise<void> {
  held.isEnding = true;
  const ending = held.changing.then(async () => {
    const { open } = held;
    const abandon = open?.file.isInPlace() === false;
    // What a failed checkpoint leaves in the log is replayed at the next opening.
    if (!abandon) await open?.connection.run("CHECKPOINT").catch(() => {});
    await closeHeld(held, abandon);
  });
  held.changing = ending.catch(() => {});
  return ending;
}

/**
 * Lets another file take the place of the one that is open, within a change. Questions wait; those that are being
 * answered go on with the old one, which the system keeps until the last of them ends.
 * @param move puts the other file in place
 */
export async function replaceFile(held: HeldFile, move: () => Promise<void>): Promise<void> {
  const replace = async (): Promise<void> => {
    await closeHeld(held, true);
    try {
      await move();
    } finally {
      held.open = await openForWriting(held.dataDir);
    }
  };
  const moving = replace();
  held.moving = moving.catch(() => {});
  await moving;
}

import { chmod, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Compacted } from "../store.js";
import { commitBatches } from "./commit.js";
import type { BlockCache } from "./file/block-cache.js";
import { type DataFile, dataFileName, foldLog, workFolder } from "./file/data-file.js";
import { change, type HeldFile, type OpenFile, openForWriting, replaceFile, requireOpen } from "./held-file.js";
import { createTail, type Tail } from "./tail.js";

/**
 * Gives back the space that a data file no longer uses: the engine never makes its file smaller. Ingest goes on
 * meanwhile:
 *
 *   the tables as they are now ───► a new file ───► takes the place of the old one
 *   what is committed from now on ─► tail ──┘ in turns; the last of it while the next change waits
 *
 * Until the new file has the name, the old one is whole, and from then on the new one is: a crash leaves one of the
 * two, and a folder that the next opening clears.
 */

/** How often it is tried to fold the log, half a second apart; changes wait for it. */
const foldAttempts = 4;

/** Half of the file is free, and it is worth the work. */
const least = { share: 0.5, bytes: 64 * 2 ** 20 } as const;

async function measureSpace(connection: DuckDBConnection): Promise<{ readonly free: number; readonly all: number }> {
  const sql = "SELECT block_size * free_blocks, block_size * total_blocks FROM pragma_database_size()";
  const [free, all] = (await connection.runAndReadAll(sql)).getRowsJS()[0].map(Number);
  return { free, all };
}

/** Says how much would be copied; undefined where that is not worth the work. */
async function measureUsed(connection: DuckDBConnection): Promise<number | undefined> {
  if ((await measureSpace(connection)).all < least.bytes) return undefined;
  // What was dropped is free once the log is folded into the file.
  await foldLog(connection, foldAttempts);
  const { free, all } = await measureSpace(connection);
  return all < least.bytes || free < least.share * all ? undefined : all - free;
}

/** @throws FleetmarkError STORE_FAILED where the disk has no room for a second file beside the first */
async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize > 1.2 * bytes) return;
  throw new FleetmarkError("STORE_FAILED", `the disk has no room for a second file of ${bytes} bytes`);
}

async function makeEmpty(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
}

/** Copies every table as it is at one moment. */
async function copyTables(connection: DuckDBConnection, path: string): Promise<void> {
  await connection.run(`ATTACH '${path.replaceAll("'", "''")}' AS fresh`);
  await connection.run("BEGIN");
  await connection.run(`COPY FROM DATABASE ${basename(dataFileName, ".duckdb")} TO fresh`);
  await connection.run("COMMIT");
  await connection.run("CHECKPOINT fresh");
  await connection.run("DETACH fresh");
}

async function copyApart(file: DataFile, path: string, signal: AbortSignal): Promise<void> {
  const connection = await file.connect();
  const interrupt = (): void => connection.interrupt();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    signal.throwIfAborted();
    await copyTables(connection, path);
    await chmod(path, 0o600);
  } finally {
    signal.removeEventListener("abort", interrupt);
    connection.closeSync();
  }
}

/** Stores what came meanwhile. Returns how many commits that were. */
async function catchUp({ connection, state }: OpenFile, tail: Tail): Promise<number> {
  const commits = tail.take();
  for (const { batches, receivedUs } of commits) await commitBatches(connection, state, batches, receivedUs);
  return commits.length;
}

/** Closes a file with nothing left in its log. */
async function closeWhole({ file, connection }: OpenFile): Promise<void> {
  await connection.run("CHECKPOINT");
  connection.closeSync();
  await file.close();
  const log = await stat(`${file.path}.wal`).catch(() => undefined);
  if (log !== undefined) throw new FleetmarkError("STORE_FAILED", "the new file could not be closed whole");
}

/** What was written into a folder's list of files stays there when the power fails. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

/** Puts the new file in the place of the old one, whose log must be folded into it. */
async function moveInto(place: string, from: string): Promise<void> {
  await rm(`${place}.wal`, { force: true });
  await syncFolder(dirname(place));
  await rename(from, place);
  await syncFolder(dirname(place));
}

/** Makes the new file and brings it up to date; the last step is a change of the old one. */
async function makeAndMove(held: HeldFile, old: OpenFile, folder: string, tail: Tail, signal: AbortSignal): Promise<void> {
  await copyApart(old.file, join(folder, dataFileName), signal);
  const fresh = await openForWriting(folder);
  let isOpen = true;
  try {
    // What comes in a turn is less than in the one before, for storing is faster than sending.
    for (let turn = 0; turn < 10 && (await catchUp(fresh, tail)) > 1; turn++) signal.throwIfAborted();
    await change(held, async (now) => {
      if (now !== old) throw new FleetmarkError("STORE_FAILED", "the file was opened anew meanwhile");
      await catchUp(fresh, tail);
      isOpen = false;
      await closeWhole(fresh);
      await foldLog(now.connection, foldAttempts);
      await replaceFile(held, () => moveInto(old.file.path, fresh.file.path));
    });
  } finally {
    if (isOpen) {
      fresh.connection.closeSync();
      await fresh.file.close();
    }
  }
}

/**
 * Makes the file smaller, if much of it is free. What goes wrong leaves it as it was.
 * @param signal ends it early
 */
export async function compact(held: HeldFile, cache: BlockCache, signal: AbortSignal): Promise<Compacted> {
  const old = requireOpen(held);
  const folder = join(dirname(old.file.path), workFolder);
  const tail = createTail();
  const leave = await cache.enter();
  try {
    const used = await change(held, ({ connection }) => {
      // Between two changes: one that is under way would be missing from both.
      held.tail = tail;
      return measureUsed(connection);
    });
    if (used === undefined) return { bytes_freed: 0, not_freed_because: null };
    await makeEmpty(folder);
    await requireRoom(folder, used);
    const { size } = await stat(old.file.path);
    await makeAndMove(held, old, folder, tail, signal);
    return { bytes_freed: size - (await stat(old.file.path)).size, not_freed_because: null };
  } catch (thrown) {
    return { bytes_freed: 0, not_freed_because: errorMessage(thrown) };
  } finally {
    leave();
    held.tail = undefined;
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

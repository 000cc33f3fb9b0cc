import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { makeFolderSync } from "@fleetmark/shared/tools/folder";
import { memoryLimit } from "./block-cache.js";
import { checkSchema, createSchema, schemaVersion, upgradeSchema } from "./schema.js";

export const dataFileName = "fleetmark.duckdb";

/** The folder beside the file into which SQL may write. */
export const workFolder = "compacting";

/**
 * Extensions are never loaded from outside, and SQL reaches no other file but in the work folder. The collector shares
 * its host with what it helps to measure, so the engine gets two threads and 1 GB. A write-ahead log past 16 MB is
 * folded into the file, which takes milliseconds.
 */
export const foldAt = "16MB";

const options = {
  threads: "2",
  memory_limit: memoryLimit,
  checkpoint_threshold: foldAt,
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
};

/**
 * Files that this process has open. The engine's lock keeps other processes out, not this one: POSIX record locks
 * belong to a process, and closing a second handle would even release the first one's (fcntl(2), "Advisory record
 * locking").
 */
const openFiles = new Set<string>();

/** An open data file. */
export interface DataFile {
  connect(): Promise<DuckDBConnection>;
  readonly path: string;
  /** The version of its tables: an older one where it is only read. */
  readonly version: number;
  /**
   * Whether the file that is open still lies under its name, and its log beside it. A handle outlives the name: what is
   * committed into a file that was removed or replaced is gone when the handle is closed.
   * @param sinceMs when the last commit began, milliseconds since the Unix epoch; its log must be there, unless the
   *   file has taken it in meanwhile
   */
  isInPlace(sinceMs?: number): boolean;
  /** @param abandon leaves what lies under the name alone, for it is another file */
  close(abandon?: boolean): Promise<void>;
}

/** Between attempts to fold the log into the file, milliseconds. */
const foldAgainMs = 500;

/** Folds the log into the file; another transaction under way puts it off. */
export async function foldLog(connection: DuckDBConnection, attempts: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.run("CHECKPOINT");
      return;
    } catch (thrown) {
      if (attempt === attempts) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, foldAgainMs));
    }
  }
}

/** Says in the catalogue's terms why a data file could not be opened or loaded. */
export function explainOpenFailure(path: string, thrown: unknown): FleetmarkError {
  const message = errorMessage(thrown);
  const because = { cause: thrown };
  if (/could not set lock/i.test(message)) {
    const pid = /PID (\d+)/.exec(message)?.[1];
    const holder = pid === undefined ? "another process" : `another process (PID ${pid})`;
    return new FleetmarkError("DATA_LOCKED", `${path} is held by ${holder}`, because);
  }
  if (/database file with version number|newer version of duckdb/i.test(message)) {
    return new FleetmarkError("DATA_NEWER", `${path} was written by a newer storage engine`, because);
  }
  if (/permission denied|read-only file system|not a directory|no such file|is a directory|no space left/i.test(message)) {
    return new FleetmarkError("DATA_UNWRITABLE", `cannot open ${path}: ${message}`, because);
  }
  if (/replaying WAL|Corrupt WAL/i.test(message)) {
    return new FleetmarkError("DATA_LOG_CORRUPT", `${path}.wal is damaged: ${message}`, because);
  }
  if (/read enough bytes/i.test(message)) {
    return new FleetmarkError("DATA_CORRUPT", `${path} was cut off: ${message}`, because);
  }
  if (/not a valid duckdb|corrupt|checksum|serializ|INTERNAL/i.test(message)) {
    return new FleetmarkError("DATA_CORRUPT", `${path} is damaged or no data file: ${message}`, because);
  }
  return new FleetmarkError("STORE_FAILED", `cannot open ${path}: ${message}`, because);
}

function prepareDirectory(dataDir: string): void {
  try {
    makeFolderSync(dataDir, 0o700);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot make the directory ${dataDir}: ${errorMessage(cause)}`, { cause });
  }
}

/** Makes the file beside its place and moves it there whole, so that no crash leaves half a file behind. */
async function createFile(path: string): Promise<void> {
  const growing = `${path}.creating-${process.pid}`;
  rmSync(growing, { force: true });
  const instance = await DuckDBInstance.create(growing, options);
  try {
    await createSchema(instance);
  } finally {
    instance.closeSync();
  }
  // What hosts measure is their operators' alone.
  chmodSync(growing, 0o600);
  renameSync(growing, path);
}

function findStats(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function isInPlace(path: string, opened: Stats | undefined, sinceMs: number | undefined): boolean {
  const now = findStats(path);
  if (now === undefined || now.dev !== opened?.dev || now.ino !== opened.ino) return false;
  // The coarsest file systems tell times by the second.
  return sinceMs === undefined || existsSync(`${path}.wal`) || now.mtimeMs >= sinceMs - 1000;
}

/**
 * Closes the engine. Ending in the usual way, it folds the log into the file and removes whatever lies under its name.
 */
async function closeInstance(instance: DuckDBInstance, abandon: boolean): Promise<void> {
  if (abandon) {
    try {
      const connection = await instance.connect();
      await connection.run("PRAGMA disable_checkpoint_on_shutdown");
      connection.closeSync();
    } catch {
      // An engine that refuses even this is left behind, open: its end in the usual way would harm what lies there now.
      return;
    }
  }
  instance.closeSync();
}

/** How the engine's log begins: the head of its first entry, which tells the log's version. */
const logHead = Buffer.from([0x64, 0x00, 0x62]);

/**
 * Refuses a log that does not begin like one. The engine would take it for empty and write over it, and what was
 * acknowledged and lies in it would be gone without a word.
 * @throws FleetmarkError DATA_LOG_CORRUPT
 */
function checkLog(path: string): void {
  const log = `${path}.wal`;
  if ((findStats(log)?.size ?? 0) === 0) return;
  const head = Buffer.alloc(logHead.length);
  const file = openSync(log, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  if (!head.equals(logHead)) throw new FleetmarkError("DATA_LOG_CORRUPT", `${log} does not begin like a log of the data file`);
}

/** From here on SQL reaches the file itself and what lies in one folder. It can't be taken back. */
async function confine(instance: DuckDBInstance, folder: string): Promise<void> {
  const connection = await instance.connect();
  try {
    await connection.run(`SET GLOBAL allowed_directories = ['${folder.replaceAll("'", "''")}/']`);
    await connection.run("SET GLOBAL enable_external_access = false");
  } finally {
    connection.closeSync();
  }
}

async function openInstance(path: string, readOnly: boolean): Promise<DuckDBInstance> {
  try {
    if (!existsSync(path)) await createFile(path);
    checkLog(path);
    const instance = await DuckDBInstance.create(path, readOnly ? { ...options, access_mode: "READ_ONLY" } : options);
    await confine(instance, join(dirname(path), workFolder));
    return instance;
  } catch (thrown) {
    throw thrown instanceof FleetmarkError ? thrown : explainOpenFailure(path, thrown);
  }
}

/**
 * Opens the data file of a directory; a missing one is made, unless it is opened read-only.
 * @throws FleetmarkError DATA_UNWRITABLE, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, DATA_LOG_CORRUPT, DATA_MISSING
 *   (read-only), STORE_FAILED
 */
export async function openDataFile(dataDir: string, mode: { readonly readOnly: boolean }): Promise<DataFile> {
  const missing = !existsSync(join(dataDir, dataFileName));
  if (mode.readOnly && missing) throw new FleetmarkError("DATA_MISSING", `there is no data file in ${dataDir}`);
  if (!mode.readOnly) prepareDirectory(dataDir);
  const path = join(realpathSync(dataDir), dataFileName);
  if (openFiles.has(path))
    throw new FleetmarkError("DATA_LOCKED", `${path} is held by this process (PID ${process.pid}) already`);
  openFiles.add(path);
  try {
    const instance = await openInstance(path, mode.readOnly);
    const opened = findStats(path);
    const connecting = new Set<Promise<unknown>>();
    const connect = async (): Promise<DuckDBConnection> => {
      const connection = instance.connect();
      connecting.add(connection);
      return connection.finally(() => connecting.delete(connection));
    };
    const close = async (abandon = false): Promise<void> => {
      // The engine must not go while somebody is about to connect to it.
      await Promise.allSettled(connecting);
      await closeInstance(instance, abandon).finally(() => openFiles.delete(path));
    };
    try {
      const version = await checkSchema(instance, basename(path));
      if (!mode.readOnly && version < schemaVersion) await upgradeSchema(instance, version);
      return {
        connect,
        path,
        version: mode.readOnly ? version : schemaVersion,
        isInPlace: (sinceMs) => isInPlace(path, opened, sinceMs),
        close,
      };
    } catch (thrown) {
      instance.closeSync();
      throw thrown instanceof FleetmarkError ? thrown : explainOpenFailure(path, thrown);
    }
  } catch (thrown) {
    openFiles.delete(path);
    throw thrown;
  }
}

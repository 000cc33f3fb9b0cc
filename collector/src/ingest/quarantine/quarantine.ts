import { constants } from "node:fs";
import { lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, errorMessage, FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { BatchId } from "@fleetmark/shared/model/batch";
import { makeFolder } from "@fleetmark/shared/tools/folder";

/** Rejected batches on disk, as they came, for a person to look into. */
export interface Quarantine {
  /**
   * Keeps a batch; the oldest ones leave when the bound would be passed, and a batch over the bound is not kept.
   * @throws FleetmarkError DATA_UNWRITABLE where batches come faster than the disk takes them: they would fill the
   *   memory
   */
  keep(bytes: Uint8Array, code: ErrorCode, id: BatchId | undefined, nowUs: number): Promise<void>;
  /** Bytes kept now. */
  size(): number;
}

interface Kept {
  readonly name: string;
  readonly bytes: number;
}

const suffix = ".batch";
/** Files of a few bytes each would make a folder that nobody can look into. */
const mostFiles = 10_000;
/**
 * Batches that wait for the disk. Whoever sends broken ones as fast as a link can take them must not fill the memory.
 */
const mostWaiting = 256;

/** A name that sorts by time and is safe whatever the host calls itself. */
function nameFile(nowUs: number, count: number, code: ErrorCode, id: BatchId | undefined): string {
  const host = (id?.host ?? "unknown").replaceAll(/[^A-Za-z0-9-]/g, "_").slice(0, 64);
  return `${nowUs}-${String(count).padStart(6, "0")}-${code}-${host}${suffix}`;
}

const growingSuffix = ".growing";

/** Whether a name is one that a quarantine gives. Nothing else in the folder is ours to count or to remove. */
function isOurs(name: string): boolean {
  const match = /^\d{1,17}-\d{6,}-([A-Z_]+)-[A-Za-z0-9_-]{1,64}\.batch$/.exec(name);
  return match !== null && isErrorCode(match[1]);
}

/** Lists what was kept, and removes what was being written when a process ended. Links are none of ours. */
async function listKept(directory: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const isGrowing = name.endsWith(growingSuffix);
    if (!isOurs(isGrowing ? name.slice(0, -growingSuffix.length) : name)) continue;
    const stats = await lstat(join(directory, name));
    if (!stats.isFile()) continue;
    if (isGrowing) await rm(join(directory, name), { force: true });
    else kept.push({ name, bytes: stats.size });
  }
  return kept;
}

/** The folder, and what is known of it. */
interface Folder {
  readonly path: string;
  /** Tells it from another that is put in its place. */
  identity: string;
  /** Bound of all files together. */
  readonly maxBytes: number;
  /** The oldest first. */
  kept: Kept[];
  bytes: number;
  /** Batches since the start: tells those of one moment apart. */
  count: number;
  /** Batches that wait for the disk, and the last of them. */
  waiting: number;
  turn: Promise<void>;
}

/** Makes the folder if it is not there, and looks what it holds; what hosts measured is their operators' alone. */
async function lookIn(path: string): Promise<Pick<Folder, "identity" | "kept" | "bytes">> {
  await makeFolder(path, 0o700);
  const { dev, ino } = await stat(path);
  const kept = await listKept(path);
  return { identity: `${dev} ${ino}`, kept, bytes: kept.reduce((sum, each) => sum + each.bytes, 0) };
}

/** Looks anew where the folder was removed or replaced. */
async function requireFolder(folder: Folder): Promise<void> {
  const found = await stat(folder.path).catch(() => undefined);
  if (found === undefined || `${found.dev} ${found.ino}` !== folder.identity) Object.assign(folder, await lookIn(folder.path));
}

/** Writes a new file, never through a link that somebody laid there. */
async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(bytes);
  } catch (thrown) {
    await rm(path, { force: true }).catch(() => {});
    throw thrown;
  } finally {
    await file.close();
  }
}

async function writeKept(folder: Folder, bytes: Uint8Array, name: string): Promise<void> {
  await requireFolder(folder);
  const { path, kept, maxBytes } = folder;
  if (bytes.length > maxBytes) return;
  while (folder.bytes + bytes.length > maxBytes || kept.length >= mostFiles) {
    const oldest = kept.shift();
    if (oldest === undefined) break;
    await rm(join(path, oldest.name), { force: true });
    folder.bytes -= oldest.bytes;
  }
  const growing = join(path, `${name}${growingSuffix}`);
  await writeNew(growing, bytes);
  await rename(growing, join(path, name));
  kept.push({ name, bytes: bytes.length });
  folder.bytes += bytes.length;
}

/** Writes a batch when those before it are written. */
async function queueKept(folder: Folder, bytes: Uint8Array, name: string): Promise<void> {
  if (folder.waiting >= mostWaiting)
    throw new FleetmarkError("DATA_UNWRITABLE", "batches are rejected faster than the disk takes them");
  folder.waiting++;
  const written = folder.turn.then(() => writeKept(folder, bytes, name)).finally(() => folder.waiting--);
  folder.turn = written.catch(() => {});
  return written;
}

/**
 * Opens the quarantine of a data directory.
 * @param maxBytes bound of all files together
 * @throws FleetmarkError DATA_UNWRITABLE
 */
export async function openQuarantine(dataDir: string, maxBytes: number): Promise<Quarantine> {
  const path = join(dataDir, "quarantine");
  const folder: Folder = {
    path,
    identity: "",
    maxBytes,
    kept: [],
    bytes: 0,
    count: 0,
    waiting: 0,
    turn: Promise.resolve(),
  };
  try {
    Object.assign(folder, await lookIn(path));
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot use ${path}: ${errorMessage(cause)}`, { cause });
  }
  return {
    keep: (batch, code, id, nowUs) => queueKept(folder, batch, nameFile(nowUs, ++folder.count, code, id)),
    size: () => folder.bytes,
  };
}

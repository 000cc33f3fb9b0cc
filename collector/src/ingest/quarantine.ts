import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
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

async function listKept(directory: string): Promise<Kept[]> {
  const names = (await readdir(directory)).sort();
  const kept: Kept[] = [];
  for (const name of names) {
    if (name.endsWith(suffix)) kept.push({ name, bytes: (await stat(join(directory, name))).size });
    else await rm(join(directory, name), { force: true });
  }
  return kept;
}

/** The folder, and what is known of it. */
interface Folder {
  readonly path: string;
  /** Bound of all files together. */
  readonly maxBytes: number;
  /** The oldest first. */
  readonly kept: Kept[];
  bytes: number;
  /** Batches since the start: tells those of one moment apart. */
  count: number;
  /** Batches that wait for the disk, and the last of them. */
  waiting: number;
  turn: Promise<void>;
}

async function writeKept(folder: Folder, bytes: Uint8Array, name: string): Promise<void> {
  const { path, kept, maxBytes } = folder;
  if (bytes.length > maxBytes) return;
  while (folder.bytes + bytes.length > maxBytes || kept.length >= mostFiles) {
    const oldest = kept.shift();
    if (oldest === undefined) break;
    await rm(join(path, oldest.name), { force: true });
    folder.bytes -= oldest.bytes;
  }
  const growing = join(path, `${name}.growing`);
  await writeFile(growing, bytes);
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
  let kept: Kept[];
  try {
    await makeFolder(path);
    kept = await listKept(path);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot use ${path}: ${errorMessage(cause)}`, { cause });
  }
  const bytes = kept.reduce((sum, each) => sum + each.bytes, 0);
  const folder: Folder = { path, maxBytes, kept, bytes, count: 0, waiting: 0, turn: Promise.resolve() };
  return {
    keep: (batch, code, id, nowUs) => queueKept(folder, batch, nameFile(nowUs, ++folder.count, code, id)),
    size: () => folder.bytes,
  };
}

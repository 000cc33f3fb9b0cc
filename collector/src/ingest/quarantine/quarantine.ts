import { constants } from "node:fs";
import { lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, errorMessage, FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { createGate, type Gate, waitAtMost } from "@fleetmark/shared/waiting";

/**
 * What was rejected, on disk, for a person to look into and to take in again: whole batches as they came, samples that
 * were refused while the rest of their batch was stored, and lines that InfluxDB will never take.
 */
export interface Quarantine {
  /**
   * Keeps something, durably; the oldest leaves when the bound would be passed, and what is over the bound is not kept.
   * @throws FleetmarkError DATA_UNWRITABLE where it comes without room and faster than the disk takes it
   */
  keep(item: QuarantineItem, nowUs: number): Promise<void>;
  /**
   * Nothing to wait for while there is room for more on its way to the disk; else resolves when there is, or after half
   * a minute: a disk that hangs holds up nobody for good.
   */
  waitForRoom(): Promise<void> | undefined;
  /** Bytes kept now. */
  size(): number;
  /** Looks anew what lies there, where somebody else has taken or laid something. */
  look(): Promise<void>;
}

/** An encoded batch, a JSON document of refused samples, or a line of InfluxDB's protocol: also the file's suffix. */
export const quarantineKinds = ["batch", "samples", "line"] as const;
export type QuarantineKind = (typeof quarantineKinds)[number];

export interface QuarantineItem {
  readonly kind: QuarantineKind;
  readonly bytes: Uint8Array;
  /** Why it was rejected. */
  readonly code: ErrorCode;
  /** Whose it is, where that is known. */
  readonly host: string | undefined;
}

interface Kept {
  readonly name: string;
  readonly bytes: number;
}

/** Below the data directory. */
export const quarantineFolder = "quarantine";
/** Files of a few bytes each would make a folder that nobody can look into. */
const mostFiles = 10_000;
/**
 * Bytes that wait for the disk before there is no room for more, and beyond which nothing is kept: whoever sends broken
 * batches as fast as a link can take them must not fill the memory. A small one weighs more than its bytes.
 */
const roomBytes = 8 * 2 ** 20;
const mostWaitingBytes = 64 * 2 ** 20;
const itemBytes = 4096;
const roomWithinS = 30;

/** A name that sorts by time and is safe whatever the host calls itself. */
function nameFile(nowUs: number, count: number, { kind, code, host = "unknown" }: QuarantineItem): string {
  const shown = host.replaceAll(/[^A-Za-z0-9-]/g, "_").slice(0, 64);
  return `${nowUs}-${String(count).padStart(6, "0")}-${code}-${shown}.${kind}`;
}

const growingSuffix = ".growing";

/** What a name in the quarantine tells. */
export interface QuarantineName {
  /** When it was kept, microseconds since the Unix epoch. */
  readonly timeUs: number;
  readonly code: ErrorCode;
  /** With `_` for whatever a file's name does not hold. */
  readonly host: string;
  readonly kind: QuarantineKind;
}

/**
 * Reads a name that a quarantine gives; undefined for any other. Nothing else in the folder is ours to count or to
 * remove.
 */
export function readQuarantineName(name: string): QuarantineName | undefined {
  const match = /^(\d{1,17})-\d{6,}-([A-Z_]+)-([A-Za-z0-9_-]{1,64})\.(batch|samples|line)$/.exec(name);
  if (match === null || !isErrorCode(match[2])) return undefined;
  const [, time, code, host, suffix] = match;
  // Former versions gave lines the suffix of batches.
  const kind = code === "STORE_REFUSED" ? "line" : (suffix as QuarantineKind);
  return { timeUs: Number(time), code, host, kind };
}

const isOurs = (name: string): boolean => readQuarantineName(name) !== undefined;

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
  /** When its list of files last changed, as far as we know. */
  changedMs: number;
  /** Batches since the start: tells those of one moment apart. */
  count: number;
  /** Bytes that wait for the disk, and the last of what they are of. */
  waiting: number;
  turn: Promise<void>;
  readonly room: Gate;
}

/** Makes the folder if it is not there, and looks what it holds; what hosts measured is their operators' alone. */
async function lookIn(path: string): Promise<Pick<Folder, "identity" | "kept" | "bytes" | "changedMs">> {
  await makeFolder(path, 0o700);
  const { dev, ino, mtimeMs } = await stat(path);
  const kept = await listKept(path);
  return { identity: `${dev} ${ino}`, kept, bytes: kept.reduce((sum, each) => sum + each.bytes, 0), changedMs: mtimeMs };
}

/** Looks anew in its turn, where the list of files has changed since. */
function queueLook(folder: Folder): Promise<void> {
  const looked = folder.turn.then(async () => {
    const found = await stat(folder.path).catch(() => undefined);
    if (found?.mtimeMs !== folder.changedMs) Object.assign(folder, await lookIn(folder.path));
  });
  folder.turn = looked.catch(() => {});
  return looked;
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
    await file.datasync();
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

function addWaiting(folder: Folder, weight: number): void {
  folder.waiting += weight;
  if (folder.waiting >= roomBytes) folder.room.shut();
  else folder.room.open();
}

/** Writes a batch when those before it are written. */
async function queueKept(folder: Folder, bytes: Uint8Array, name: string): Promise<void> {
  if (folder.waiting >= mostWaitingBytes)
    throw new FleetmarkError("DATA_UNWRITABLE", "batches are rejected faster than the disk takes them");
  const weight = bytes.length + itemBytes;
  addWaiting(folder, weight);
  const written = folder.turn.then(() => writeKept(folder, bytes, name)).finally(() => addWaiting(folder, -weight));
  folder.turn = written.catch(() => {});
  return written;
}

/**
 * Opens the quarantine of a data directory.
 * @param maxBytes bound of all files together
 * @throws FleetmarkError DATA_UNWRITABLE
 */
export async function openQuarantine(dataDir: string, maxBytes: number): Promise<Quarantine> {
  const path = join(dataDir, quarantineFolder);
  const folder: Folder = {
    path,
    identity: "",
    maxBytes,
    kept: [],
    bytes: 0,
    changedMs: 0,
    count: 0,
    waiting: 0,
    turn: Promise.resolve(),
    room: createGate(),
  };
  try {
    Object.assign(folder, await lookIn(path));
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot use ${path}: ${errorMessage(cause)}`, { cause });
  }
  return {
    keep: (item, nowUs) => queueKept(folder, item.bytes, nameFile(nowUs, ++folder.count, item)),
    waitForRoom: () => {
      const room = folder.room.wait();
      return room && waitAtMost(room, roomWithinS);
    },
    size: () => folder.bytes,
    look: () => queueLook(folder),
  };
}

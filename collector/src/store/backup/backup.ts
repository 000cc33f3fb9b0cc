import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { lstat, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { version } from "@fleetmark/shared/version";
import { z } from "zod";
import type { OnBytes } from "../../platform/child-task.js";

/**
 * A backup is a folder that holds the data file as it was at one moment, and a manifest by which it can be known that
 * it is whole. It is named when it is: until then the folder ends with `.growing`.
 */

const manifestName = "manifest.json";
export const backedUpFile = "fleetmark.duckdb";

const manifestSchema = z.object({
  format: z.literal("fleetmark-backup/1"),
  fleetmark_version: z.string(),
  created_us: z.int().nonnegative().describe("microseconds since the Unix epoch"),
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

export type BackupManifest = z.infer<typeof manifestSchema>;

/**
 * Copies a file to one that is not there yet, durably.
 * @param signal ends it early
 * @returns the SHA-256 of what was copied, and its bytes
 */
async function copyFile(
  from: string,
  to: string,
  onBytes: OnBytes,
  signal?: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const { size } = await stat(from);
  const hash = createHash("sha256");
  const target = await open(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    let bytes = 0;
    // What is appended meanwhile is no part of the file as it was.
    for await (const piece of createReadStream(from, { highWaterMark: 2 ** 20, end: Math.max(0, size - 1) })) {
      signal?.throwIfAborted();
      hash.update(piece as Buffer);
      await target.writeFile(piece as Buffer);
      bytes += (piece as Buffer).length;
      onBytes(bytes, size);
    }
    await target.sync();
    return { sha256: hash.digest("hex"), bytes };
  } finally {
    await target.close();
  }
}

function explain(path: string, thrown: unknown): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  return new FleetmarkError("FILE_FAILED", `${path}: ${errorMessage(thrown)}`, { cause: thrown });
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/**
 * Makes a backup of a data file that does not change meanwhile.
 * @throws FleetmarkError FILE_FAILED, also where the folder is there already
 */
export async function makeBackup(
  dataFile: string,
  folder: string,
  nowUs: number,
  onBytes: OnBytes,
  signal?: AbortSignal,
): Promise<BackupManifest> {
  const growing = `${resolve(folder)}.growing`;
  try {
    if (await isThere(folder)) throw new FleetmarkError("FILE_FAILED", `${folder} is there already: name a folder that is not`);
    await rm(growing, { recursive: true, force: true });
    await mkdir(growing, { mode: 0o700 });
    const copied = await copyFile(dataFile, join(growing, backedUpFile), onBytes, signal);
    const manifest: BackupManifest = { format: "fleetmark-backup/1", fleetmark_version: version, created_us: nowUs, ...copied };
    await writeFile(join(growing, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    await rename(growing, folder);
    return manifest;
  } catch (thrown) {
    await rm(growing, { recursive: true, force: true }).catch(() => {});
    throw explain(folder, thrown);
  }
}

/** @throws FleetmarkError BACKUP_INVALID */
export async function readManifest(folder: string): Promise<BackupManifest> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(folder, manifestName), "utf8")));
  } catch (cause) {
    const why = systemErrorCode(cause) === "ENOENT" ? "it has no manifest.json" : "its manifest.json makes no sense";
    throw new FleetmarkError("BACKUP_INVALID", `${folder} is no backup: ${why}`, { cause });
  }
}

/**
 * Puts the data file of a backup into a data directory, whole or not at all. What lies there already is moved aside.
 * @returns where the former file is now, if there was one
 * @throws FleetmarkError BACKUP_INVALID, FILE_FAILED
 */
export async function restoreBackup(
  folder: string,
  dataFile: string,
  nowUs: number,
  onBytes: OnBytes,
): Promise<string | undefined> {
  const manifest = await readManifest(folder);
  const growing = `${dataFile}.restoring`;
  try {
    await rm(growing, { force: true });
    const copied = await copyFile(join(folder, backedUpFile), growing, onBytes);
    if (copied.sha256 !== manifest.sha256 || copied.bytes !== manifest.bytes) {
      throw new FleetmarkError("BACKUP_INVALID", `${folder} is damaged: its data file is not what the manifest says`);
    }
    const aside = (await isThere(dataFile)) ? `${dataFile}.before-${nowUs}` : undefined;
    // The log first: beside another file it would be taken for that one's.
    if (aside !== undefined && (await isThere(`${dataFile}.wal`))) await rename(`${dataFile}.wal`, `${aside}.wal`);
    if (aside !== undefined) await rename(dataFile, aside);
    await rename(growing, dataFile);
    await (await open(dirname(dataFile), "r")).close();
    return aside === undefined ? undefined : basename(aside);
  } catch (thrown) {
    await rm(growing, { force: true }).catch(() => {});
    throw explain(dataFile, thrown);
  }
}

import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { BatchId } from "@fleetmark/shared/model/batch";

/** Rejected batches on disk, as they came, for a person to look into. */
export interface Quarantine {
  /**
   * Keeps a batch; the oldest ones leave when the bound would be passed, and a batch over the bound is not kept.
   * @throws FleetmarkError DATA_UNWRITABLE where batches come faster than the disk takes them: they would fill the memory
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
/** Batches that wait for the disk. Whoever sends broken ones as fast as a link can take them must not fill the memory. */
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

/**
 * Opens the quarantine of a data directory.
 * @param maxBytes bound of all files together
 * @throws FleetmarkError DATA_UNWRITABLE
 */
export async function openQuarantine(dataDir: string, maxBytes: number): Promise<Quarantine> {
  const directory = join(dataDir, "quarantine");
  let kept: Kept[];
  try {
    await mkdir(directory, { recursive: true });
    kept = await listKept(directory);
  } catch (cause) {
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot use ${directory}: ${errorMessage(cause)}`, { cause });
  }
  let count = 0;
  let total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  let waiting = 0;
  let turn: Promise<void> = Promise.resolve();

  const keepOne = async (bytes: Uint8Array, name: string): Promise<void> => {
    if (bytes.length > maxBytes) return;
    while (total + bytes.length > maxBytes || kept.length >= mostFiles) {
      const oldest = kept.shift() as Kept;
      await rm(join(directory, oldest.name), { force: true });
      total -= oldest.bytes;
    }
    const growing = join(directory, `${name}.growing`);
    await writeFile(growing, bytes);
    await rename(growing, join(directory, name));
    kept.push({ name, bytes: bytes.length });
    total += bytes.length;
  };

  return {
    keep: async (bytes, code, id, nowUs) => {
      if (waiting >= mostWaiting)
        throw new FleetmarkError("DATA_UNWRITABLE", "batches are rejected faster than the disk takes them");
      waiting++;
      const name = nameFile(nowUs, ++count, code, id);
      const kept = turn.then(() => keepOne(bytes, name)).finally(() => waiting--);
      turn = kept.catch(() => {});
      return kept;
    },
    size: () => total,
  };
}

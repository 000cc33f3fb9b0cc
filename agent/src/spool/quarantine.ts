import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "@fleetmark/shared/tools/folder";

const folderName = "quarantine";

/** Keeps what is no batch, and removes what was kept first where that gets too much. */
async function keepParts(dir: string, name: string, parts: readonly Buffer[], maxBytes: number): Promise<void> {
  const folder = join(dir, folderName);
  await makeFolder(folder);
  await writeFile(join(folder, `${Date.now()}-${name}`), Buffer.concat(parts).subarray(0, maxBytes));
  const kept = (await readdir(folder)).sort().reverse();
  let total = 0;
  for (const each of kept) {
    total += (await stat(join(folder, each))).size;
    if (total > maxBytes) await rm(join(folder, each));
  }
}

/** Keeps in the quarantine what can't be read of a file, where that is possible: it is lost either way. */
export async function quarantineParts(dir: string, name: string, damaged: readonly Buffer[], maxBytes: number): Promise<void> {
  const parts = damaged.filter((part) => part.some((byte) => byte !== 0));
  if (parts.length > 0) await keepParts(dir, name, parts, maxBytes).catch(() => {});
}

import { lstat, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "@fleetmark/shared/tools/folder";

const folderName = "quarantine";

/** The names that are given here. Nothing else in the folder is ours to count or to remove. */
const namePattern = /^\d{13}-[rt]-\d{16}-\d{12}\.batches$/;

/** Keeps what is no batch, and removes what was kept first where that gets too much. */
async function keepParts(dir: string, name: string, parts: readonly Buffer[], maxBytes: number): Promise<void> {
  const folder = join(dir, folderName);
  await makeFolder(folder, 0o700);
  const path = join(folder, `${Date.now()}-${name}`);
  await writeFile(path, Buffer.concat(parts).subarray(0, maxBytes), { flag: "wx", mode: 0o600 });
  const kept = (await readdir(folder)).filter((each) => namePattern.test(each)).sort();
  let total = 0;
  for (const each of kept.reverse()) {
    const stats = await lstat(join(folder, each));
    if (!stats.isFile()) continue;
    total += stats.size;
    if (total > maxBytes) await rm(join(folder, each));
  }
}

/** Keeps in the quarantine what can't be read of a file, where that is possible: it is lost either way. */
export async function quarantineParts(dir: string, name: string, damaged: readonly Buffer[], maxBytes: number): Promise<void> {
  const parts = damaged.filter((part) => part.some((byte) => byte !== 0));
  if (parts.length > 0) await keepParts(dir, name, parts, maxBytes).catch(() => {});
}

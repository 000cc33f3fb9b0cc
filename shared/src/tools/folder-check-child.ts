/** The program that looks at a folder: `node folder-check-child.js make|look PATH`. It prints what it found as JSON. */
import { mkdir, rm, rmdir, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errorMessage, systemErrorCode } from "../errors.js";
import { makeFolder } from "./folder.js";
import type { FolderSpace } from "./folder-check.js";

async function findNearest(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (thrown) {
    if (systemErrorCode(thrown) !== "ENOENT" || path === dirname(path)) throw thrown;
    return findNearest(dirname(path));
  }
}

/** Permissions tell less than a try: of a file system that is read-only, full, or lets nobody make files. */
async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, `.fleetmark-check-${process.pid}`);
  try {
    await writeFile(path, "x", { flag: "wx" });
  } finally {
    await rm(path, { force: true });
  }
}

/** Permissions let the superuser make folders where the file system lets nobody. */
async function tryMaking(folder: string): Promise<void> {
  const path = join(folder, `.fleetmark-check-${process.pid}`);
  await mkdir(path);
  await rmdir(path);
}

async function look(mode: string, path: string): Promise<FolderSpace> {
  if (mode === "make") await makeFolder(path);
  const nearest = await findNearest(path);
  if (nearest === path) await tryWriting(path);
  else await tryMaking(nearest);
  const { bavail, blocks, bsize } = await statfs(nearest);
  return { free_bytes: bavail * bsize, total_bytes: blocks * bsize };
}

const [mode = "look", path = "."] = process.argv.slice(2);
try {
  process.stdout.write(JSON.stringify(await look(mode, resolve(path))));
} catch (thrown) {
  process.stdout.write(JSON.stringify({ reason: errorMessage(thrown) }));
}

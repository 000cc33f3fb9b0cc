import { mkdirSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { systemErrorCode } from "../errors.js";

/*
 * Node's own `mkdir` with `recursive` never returns where the kernel answers ENOENT to the making of a folder whose
 * parent is there, as /proc, /sys and some network file systems do: it makes the parent anew and tries again, for ever.
 * Here each folder is made at most once, from the uppermost that is missing.
 */

function isMissing(thrown: unknown): boolean {
  return systemErrorCode(thrown) === "ENOENT";
}

/** Returns the folders above a path, and the path itself, the uppermost first. */
function listLevels(path: string): string[] {
  const levels: string[] = [];
  for (let level = resolve(path); level !== dirname(level); level = dirname(level)) levels.unshift(level);
  return levels;
}

/** A folder that is there already, or that another process made meanwhile, is fine; a file in its place is not. */
function throwUnlessThere(thrown: unknown, isFolder: boolean): void {
  if (systemErrorCode(thrown) !== "EEXIST" || !isFolder) throw thrown;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

/**
 * Makes a folder and those above it that are missing.
 * @param mode of each that is made; 0o700 for its owner alone
 * @throws the system's error, such as ENOENT where the file system lets nobody make folders
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  for (const level of listLevels(path)) {
    if (await isFolder(level)) continue;
    try {
      await mkdir(level, { mode });
    } catch (thrown) {
      throwUnlessThere(thrown, await isFolder(level));
    }
  }
}

function isFolderSync(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Makes a folder as `makeFolder` does, at once. */
export function makeFolderSync(path: string, mode = 0o777): void {
  for (const level of listLevels(path)) {
    if (isFolderSync(level)) continue;
    try {
      mkdirSync(level, { mode });
    } catch (thrown) {
      throwUnlessThere(thrown, isFolderSync(level));
    }
  }
}

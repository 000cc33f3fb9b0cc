import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function isRoot(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === "fleetmark-workspace";
  } catch {
    return false;
  }
}

function findRoot(folder: string): string {
  if (isRoot(folder)) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("not inside the repository");
  return findRoot(parent);
}

/** The repository, for code that runs from its source under vitest and compiled from `test/dist`. */
export const repositoryRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

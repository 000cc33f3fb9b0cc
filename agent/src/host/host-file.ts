import { closeSync, constants, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { runTool } from "@fleetmark/shared/tools/tool-runner";
import { findShownByPrograms } from "./mountinfo.js";

/**
 * Reads what the kernel tells of the host. The kernel answers at once, so its files are read in place. Where a program
 * shows a file in the kernel's stead (lxcfs in containers), `cat` reads it in a process that can be abandoned.
 */

/** Where the kernel's file systems are mounted; a test gives a tree of its own. */
export interface Roots {
  readonly proc: string;
  readonly sys: string;
  /** Files and folders below them that a program shows. */
  readonly shownByPrograms?: readonly string[];
}

/** Bytes of one file that are read: the mounts of a host with ten thousand containers fit. */
const maxBytes = 4 * 2 ** 20;

/** Seconds. */
const catDeadline = 2;

const chunk = Buffer.allocUnsafe(65_536);

/**
 * Tools are named by their whole path: who searches PATH touches its folders, and those may lie on what hangs, as may
 * /usr/local.
 */
const toolFolders = ["/usr/bin", "/bin", "/run/current-system/sw/bin"];

/** Returns the path of a tool of the system; undefined where there is none. */
export function findSystemTool(name: string): string | undefined {
  return toolFolders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Looks which of the kernel's files a program shows. */
export function examineRoots(roots: Roots): Roots {
  let mounts: string;
  try {
    mounts = readKernelFile(join(roots.proc, "self", "mountinfo"));
  } catch {
    return roots;
  }
  return { ...roots, shownByPrograms: [roots.proc, roots.sys].flatMap((root) => findShownByPrograms(mounts, root)) };
}

/** Reads whole lines up to the bound; one byte a character. A pipe or a device in a file's place is not waited for. */
function readKernelFile(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    let text = "";
    for (;;) {
      const count = readSync(file, chunk, 0, chunk.length, null);
      if (count === 0) return text;
      text += chunk.toString("latin1", 0, count);
      if (text.length >= maxBytes) return text.slice(0, text.lastIndexOf("\n") + 1);
    }
  } finally {
    closeSync(file);
  }
}

async function readByTool(path: string): Promise<string> {
  const cat = findSystemTool("cat");
  const outcome = cat === undefined ? undefined : await runTool(`cat ${path}`, cat, [path], { deadlineS: catDeadline, maxBytes });
  if (outcome?.state === "ok") return outcome.stdout;
  throw new FleetmarkError("PROBE_FAILED", `${path}, which a program shows: ${outcome?.reason ?? "there is no cat"}`);
}

/**
 * Reads a file below /proc or /sys, one byte a character.
 * @throws NodeJS.ErrnoException, FleetmarkError PROBE_FAILED where the program that shows it does not answer
 */
export async function readHostFile(roots: Roots, root: "proc" | "sys", ...names: string[]): Promise<string> {
  const path = join(roots[root], ...names);
  const isShown = roots.shownByPrograms?.some((each) => path === each || path.startsWith(`${each}/`));
  return isShown === true ? readByTool(path) : readKernelFile(path);
}

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Roots, readHostFile } from "../host/host-file.js";

/**
 * The CPU time of a process and of all that came of it. What a process that ended had taken goes on counting with the
 * one that waited for it (getrusage(2), RUSAGE_CHILDREN), so the sum over a living tree never falls behind.
 */

/** The kernel counts CPU time in hundredths of a second on every architecture (USER_HZ, proc(5)). */
export const ticksPerSecond = 100;

/** Fields of /proc/PID/stat after the name: state ppid … utime stime cutime cstime, the 12th to the 15th (proc(5)). */
interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/** Reads a line of /proc/PID/stat, whose name stands in brackets and may hold anything. */
export function parseTreeStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const parent = Number(fields[1]);
  return fields.length > 15 && Number.isFinite(ticks) && Number.isFinite(parent) ? { parent, ticks } : undefined;
}

async function readStat(roots: Roots, pid: number): Promise<Stat | undefined> {
  try {
    return parseTreeStat(await readHostFile(roots, "proc", String(pid), "stat"));
  } catch {
    return undefined;
  }
}

/**
 * Lists what a process started, by what the kernel keeps for each of its threads; undefined where the kernel keeps
 * none (CONFIG_PROC_CHILDREN).
 */
async function listChildren(roots: Roots, pid: number): Promise<number[] | undefined> {
  let threads: string[];
  try {
    threads = readdirSync(join(roots.proc, String(pid), "task"));
  } catch {
    return [];
  }
  const children: number[] = [];
  for (const thread of threads) {
    try {
      const text = await readHostFile(roots, "proc", String(pid), "task", thread, "children");
      children.push(...text.split(" ").filter(Boolean).map(Number));
    } catch (thrown) {
      if (thread === String(pid) && (thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    }
  }
  return children;
}

async function sumTree(roots: Roots, root: number): Promise<number | undefined> {
  let ticks = 0;
  const left = [root];
  for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
    const children = await listChildren(roots, pid);
    if (children === undefined) {
      // The kernel knows no children, or the process has just ended.
      if ((await readStat(roots, pid)) !== undefined) return undefined;
      continue;
    }
    ticks += (await readStat(roots, pid))?.ticks ?? 0;
    left.push(...children);
  }
  return ticks;
}

/** The slower way, which every kernel has: looks at all processes for those whose parents lead to the root. */
async function sumByParents(roots: Roots, root: number): Promise<number> {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync(roots.proc)) {
    const stat = /^\d+$/.test(name) ? await readStat(roots, Number(name)) : undefined;
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  const isOwn = (pid: number): boolean => {
    for (let at = pid, steps = 0; at > 1 && steps < 100; steps++) {
      if (at === root) return true;
      at = stats.get(at)?.parent ?? 0;
    }
    return false;
  };
  return [...stats].reduce((sum, [pid, { ticks }]) => (isOwn(pid) ? sum + ticks : sum), 0);
}

/** Returns the CPU seconds that a process and all that came of it have taken. */
export async function readTreeCpu(roots: Roots, pid: number): Promise<number> {
  return ((await sumTree(roots, pid)) ?? (await sumByParents(roots, pid))) / ticksPerSecond;
}

import { runTool } from "@fleetmark/shared/tools/tool-runner";
import { parseCpuLine } from "./snapshot.js";
import { readText } from "./text-file.js";

/** Reads a list of cores as the kernel writes it: `0-3,8` is 0, 1, 2, 3 and 8 (cpuset(7)). */
export function parseCoreList(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (match === null) return [];
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
}

/** Busy seconds of each core since the machine began. */
export type CoreLoads = ReadonlyMap<number, number>;

export function readCoreLoads(): CoreLoads {
  const loads = new Map<number, number>();
  for (const [line, core] of (readText("/proc/stat") ?? "").matchAll(/^cpu(\d+) .*$/gm)) {
    const parsed = parseCpuLine(line);
    if (parsed !== undefined) loads.set(Number(core), parsed.busyS + parsed.stealS);
  }
  return loads;
}

/**
 * Returns the allowed core that did least between two readings; of equals the last, as interrupts favour the first.
 */
export function chooseCore(allowed: readonly number[], before: CoreLoads, after: CoreLoads): number | undefined {
  let chosen: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const core of allowed) {
    const load = (after.get(core) ?? 0) - (before.get(core) ?? 0);
    if (load <= least) [chosen, least] = [core, load];
  }
  return chosen;
}

/**
 * Lists the cores that are online and that this process may run on. A kernel made for more than there are lists all
 * that there might be.
 */
export function listUsableCores(read: (path: string) => string | undefined = readText): number[] {
  const allowed = parseCoreList(read("/proc/self/status")?.match(/^Cpus_allowed_list:\s*(\S+)/m)?.[1] ?? "");
  const online = parseCoreList(read("/sys/devices/system/cpu/online") ?? "");
  return online.length === 0 ? allowed : allowed.filter((core) => online.includes(core));
}

/** Seconds within which `taskset` must have answered. */
const tasksetS = 5;

async function runTaskset(args: readonly string[]): Promise<boolean> {
  return (await runTool("taskset", "taskset", args, { deadlineS: tasksetS })).state === "ok";
}

/**
 * Lists the cores that a process may be bound to: none where there is no choice, or `taskset` is not there or does not
 * answer.
 */
export async function listPinnableCores(): Promise<number[]> {
  const usable = listUsableCores();
  if (usable.length < 2) return [];
  return (await runTaskset(["--version"])) ? usable : [];
}

/**
 * Binds the main thread of this process alone to a core: other threads keep the rest of the machine. Returns whether it
 * could.
 */
export function pinMainThread(core: number): Promise<boolean> {
  return runTaskset(["-cp", String(core), String(process.pid)]);
}

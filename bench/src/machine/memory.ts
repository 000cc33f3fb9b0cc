import { writeFileSync } from "node:fs";
import type { Pid } from "./snapshot.js";
import { readText } from "./text-file.js";

/** Resident memory of a process now and at its peak, in bytes. */
export interface Resident {
  readonly now: number;
  readonly peak: number;
}

/**
 * Reads the resident memory of a process (VmRSS and VmHWM of proc(5)); undefined for one that has ended, or without
 * /proc.
 */
export function readResident(pid: Pid): Resident | undefined {
  const status = readText(`/proc/${pid}/status`) ?? "";
  const read = (key: string): number | undefined => {
    const found = status.match(new RegExp(`^${key}:\\s+(\\d+) kB`, "m"))?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const now = read("VmRSS");
  return now === undefined ? undefined : { now, peak: read("VmHWM") ?? now };
}

/**
 * Reads the resident memory of this process; where the kernel does not show it, Node's figures.
 */
export function readOwnResident(): Resident {
  const shown = readResident("self");
  if (shown !== undefined) return shown;
  const now = process.memoryUsage.rss();
  return { now, peak: Math.max(now, process.resourceUsage().maxRSS * 1024) };
}

/** Makes a process's peak start again from the present. Returns whether the kernel let us (clear_refs 5, proc(5)). */
export function resetPeak(pid: Pid): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
    return true;
  } catch {
    return false;
  }
}

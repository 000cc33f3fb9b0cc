import { type Roots, readHostFile } from "../host/host-file.js";
import { parseCpuTimes } from "../probes/cpu.js";
import { readTreeCpu, ticksPerSecond } from "./own-cpu.js";

/** Tells how much CPU the host's other processes take. */
export interface OtherCpuMeter {
  /**
   * Cores' worth of CPU that others took since the look before, which lies 200 ms back at least; undefined at first.
   */
  look(): Promise<number | undefined>;
}

/** Milliseconds: within less, the kernel's ticks of 10 ms on each core are all that there is to see. */
const leastWindowMs = 200;

/** Reads the CPU seconds that all processes of the host took; a guest's are among the user's. */
export function parseBusySeconds(text: string): number | undefined {
  const times = parseCpuTimes(text.split("\n", 1)[0]).get("cpu-total");
  if (times === undefined) return undefined;
  const { user, nice, system, irq, softirq } = times;
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}

/**
 * Creates a meter of all that does not come of a process.
 * @param pid the process whose tree does not count
 * @param nowMs a clock that never steps, milliseconds
 */
export function createOtherCpuMeter(roots: Roots, pid: number, nowMs: () => number): OtherCpuMeter {
  let before: { readonly atMs: number; readonly otherS: number } | undefined;
  let cores: number | undefined;
  return {
    look: async () => {
      const atMs = nowMs();
      if (before !== undefined && atMs - before.atMs < leastWindowMs) return cores;
      // Read first: what the tree takes in between is then counted with it and with all, not with others.
      const busyS = parseBusySeconds(await readHostFile(roots, "proc", "stat"));
      if (busyS === undefined) return undefined;
      const otherS = busyS - (await readTreeCpu(roots, pid));
      const last = before;
      before = { atMs, otherS };
      cores = last === undefined ? undefined : Math.max(0, ((otherS - last.otherS) * 1000) / (atMs - last.atMs));
      return cores;
    },
  };
}

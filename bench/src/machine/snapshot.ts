import { readdirSync } from "node:fs";
import { readClock } from "./clock.js";
import { readCounter, readText } from "./text-file.js";

/** A process of this machine: this one, or another by its id. */
export type Pid = number | "self";

/** Counters of the machine and of a process at one moment. A counter that this machine does not show is undefined. */
export interface Snapshot {
  readonly timeS: number;
  /** CPU seconds that all processes of the machine took, and that the hypervisor took from it. */
  readonly busyS: number | undefined;
  readonly stealS: number | undefined;
  /** CPU seconds that the process took, and its main thread alone. */
  readonly ownS: number;
  readonly mainS: number | undefined;
  /** Seconds that the main thread was ready to run and had no core. */
  readonly waitS: number | undefined;
  /** Seconds in which some process of the machine stood still for want of memory. */
  readonly memoryStallS: number | undefined;
  readonly throttles: number | undefined;
  readonly frequencyHz: number | undefined;
  readonly load: number | undefined;
  /** Seconds that the reference work took (pace.ts). */
  readonly workS: number;
}

/** The kernel counts CPU time in hundredths of a second on every architecture (USER_HZ, proc(5)). */
const ticksPerSecond = 100;

/**
 * Reads busy and stolen CPU seconds off a line of /proc/stat: user nice system idle iowait irq softirq steal
 * (proc(5)).
 */
export function parseCpuLine(line: string): { busyS: number; stealS: number } | undefined {
  const fields = line.trim().split(/\s+/).slice(1, 9).map(Number);
  if (fields.length < 8 || fields.some((field) => !Number.isFinite(field))) return undefined;
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return { busyS: (user + nice + system + irq + softirq) / ticksPerSecond, stealS: steal / ticksPerSecond };
}

/**
 * Reads the CPU seconds of a process off its /proc/PID/stat: utime and stime, the 12th and 13th field after the name,
 * which stands in brackets and may hold anything (proc(5)).
 */
export function parseProcessStat(text: string): number | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN);
  return Number.isFinite(ticks) ? ticks / ticksPerSecond : undefined;
}

/**
 * Returns the CPU seconds of a process: of this one by the microsecond, of another by the tick; 0 for one that is
 * gone.
 */
function readCpuTime(pid: Pid): number {
  if (pid !== "self") return parseProcessStat(readText(`/proc/${pid}/stat`) ?? "") ?? 0;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Sums the thermal throttle events of all cores; undefined where the kernel counts none (virtual machines, other
 * vendors).
 */
function readThrottles(): number | undefined {
  let names: string[];
  try {
    names = readdirSync("/sys/devices/system/cpu").filter((name) => /^cpu\d+$/.test(name));
  } catch {
    return undefined;
  }
  const counts = names.map((name) =>
    readCounter(`/sys/devices/system/cpu/${name}/thermal_throttle/core_throttle_count`, /^(\d+)/, 1),
  );
  const known = counts.filter((count) => count !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
}

/**
 * Reads the counters of the machine and of a process, in half a millisecond. Missing files are fine.
 * @param core whose frequency counts
 * @param workS what the reference work took just before
 */
export function readSnapshot(pid: Pid, core: number | undefined, workS: number): Snapshot {
  const cpu = parseCpuLine(readText("/proc/stat")?.split("\n", 1)[0] ?? "");
  const ownS = readCpuTime(pid);
  return {
    timeS: readClock(),
    busyS: cpu?.busyS,
    stealS: cpu?.stealS,
    ownS,
    mainS: readCounter(`/proc/${pid}/schedstat`, /^(\d+)/, 1e-9),
    waitS: readCounter(`/proc/${pid}/schedstat`, /^\d+ (\d+)/, 1e-9),
    memoryStallS: readCounter("/proc/pressure/memory", /some .*total=(\d+)/, 1e-6),
    throttles: readThrottles(),
    frequencyHz: readCounter(`/sys/devices/system/cpu/cpu${core ?? 0}/cpufreq/scaling_cur_freq`, /^(\d+)/, 1e3),
    load: readCounter("/proc/loadavg", /^(\S+)/, 1),
    workS,
  };
}

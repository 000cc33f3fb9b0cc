import { readdirSync } from "node:fs";
import { readClock } from "./clock.js";
import { readText } from "./host.js";
import { timeReferenceWork } from "./pace.js";

/** Counters of the machine and of this process at one moment. A counter that this machine does not show is undefined. */
export interface Snapshot {
  readonly timeS: number;
  /** CPU seconds that all processes of the machine took, and that the hypervisor took from it. */
  readonly busyS: number | undefined;
  readonly stealS: number | undefined;
  /** CPU seconds that this process took, and its main thread alone. */
  readonly ownS: number;
  readonly mainS: number | undefined;
  /** Seconds that the main thread was ready to run and had no core. */
  readonly waitS: number | undefined;
  /** Seconds in which some process of the machine stood still for want of memory. */
  readonly memoryStallS: number | undefined;
  readonly throttles: number | undefined;
  readonly frequencyHz: number | undefined;
  readonly load: number | undefined;
  /** Seconds that the reference work took. */
  readonly workS: number;
}

/** What happened around the measured work between two snapshots. Shares are of the time between, `others` is in cores. */
export interface Exposure {
  /** The main thread stood ready without a core, for longer than the process's own other threads can have held it. */
  readonly wait: number;
  readonly steal: number;
  readonly others: number;
  readonly memoryStall: number;
  readonly throttles: number;
  /** Share of its frequency that the core lost. */
  readonly slowdown: number;
  /** Share of its full pace that the core lost, by the reference work. Known only to who knows the full pace: 0 from two snapshots alone. */
  readonly paceLoss: number;
}

/** In what state the machine was before and after; undefined where it does not show it. */
export interface Conditions {
  readonly loadBefore: number | undefined;
  readonly loadAfter: number | undefined;
  readonly frequencyBeforeHz: number | undefined;
  readonly frequencyAfterHz: number | undefined;
}

/** From where on each counts as a disturbance. */
const limits: Exposure = {
  wait: 0.02,
  steal: 0.02,
  others: 0.25,
  memoryStall: 0.01,
  throttles: 1,
  slowdown: 0.1,
  paceLoss: 0.12,
};

/** The kernel counts CPU time in /proc/stat in hundredths of a second on every architecture (USER_HZ, proc(5)). */
const ticksPerSecond = 100;

/** Reads busy and stolen CPU seconds off a line of /proc/stat: user nice system idle iowait irq softirq steal (proc(5)). */
export function parseCpuLine(line: string): { busyS: number; stealS: number } | undefined {
  const fields = line.trim().split(/\s+/).slice(1, 9).map(Number);
  if (fields.length < 8 || fields.some((field) => !Number.isFinite(field))) return undefined;
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return { busyS: (user + nice + system + irq + softirq) / ticksPerSecond, stealS: steal / ticksPerSecond };
}

/** Returns the number that the file's text matches, in the pattern's first group, times `scale`. */
function readCounter(path: string, pattern: RegExp, scale: number): number | undefined {
  const found = readText(path)?.match(pattern)?.[1];
  return found === undefined ? undefined : Number(found) * scale;
}

/** Sums the thermal throttle events of all cores; undefined where the kernel counts none (virtual machines, other vendors). */
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

/** Takes a snapshot, in half a millisecond. Missing files are fine. */
export function takeSnapshot(core: number | undefined): Snapshot {
  const workS = timeReferenceWork();
  const cpu = parseCpuLine(readText("/proc/stat")?.split("\n", 1)[0] ?? "");
  const usage = process.cpuUsage();
  return {
    timeS: readClock(),
    busyS: cpu?.busyS,
    stealS: cpu?.stealS,
    ownS: (usage.user + usage.system) / 1e6,
    mainS: readCounter("/proc/self/schedstat", /^(\d+)/, 1e-9),
    waitS: readCounter("/proc/self/schedstat", /^\d+ (\d+)/, 1e-9),
    memoryStallS: readCounter("/proc/pressure/memory", /some .*total=(\d+)/, 1e-6),
    throttles: readThrottles(),
    frequencyHz: readCounter(`/sys/devices/system/cpu/cpu${core ?? 0}/cpufreq/scaling_cur_freq`, /^(\d+)/, 1e3),
    load: readCounter("/proc/loadavg", /^(\S+)/, 1),
    workS,
  };
}

/** Over a shorter time than this, in seconds, a tick of the kernel's accounting or one slice given to another would be a large share. */
const shortestExposureS = 0.1;

/** Compares two snapshots. What one of them lacks, or is too coarse to tell over so short a time, counts as nothing seen. */
export function compareSnapshots(before: Snapshot, after: Snapshot): Exposure {
  const elapsed = Math.max(after.timeS - before.timeS, 1e-9);
  const grow = (key: keyof Snapshot): number => Math.max(0, (after[key] ?? 0) - (before[key] ?? after[key] ?? 0));
  const share = (seconds: number): number => (elapsed < shortestExposureS ? 0 : seconds / elapsed);
  const lost =
    before.frequencyHz === undefined || after.frequencyHz === undefined ? 0 : 1 - after.frequencyHz / before.frequencyHz;
  return {
    wait: share(Math.max(0, grow("waitS") - (before.mainS === undefined ? 0 : Math.max(0, grow("ownS") - grow("mainS"))))),
    steal: share(grow("stealS")),
    others: before.busyS === undefined ? 0 : share(Math.max(0, grow("busyS") - grow("ownS"))),
    memoryStall: share(grow("memoryStallS")),
    throttles: grow("throttles"),
    slowdown: Math.max(0, lost),
    paceLoss: 0,
  };
}

export function readConditions(before: Snapshot, after: Snapshot): Conditions {
  return {
    loadBefore: before.load,
    loadAfter: after.load,
    frequencyBeforeHz: before.frequencyHz,
    frequencyAfterHz: after.frequencyHz,
  };
}

/** Returns the counters of an exposure that are past their limit. */
export function listDisturbances(exposure: Exposure): (keyof Exposure)[] {
  return (Object.keys(limits) as (keyof Exposure)[]).filter((key) => exposure[key] >= limits[key]);
}

/** What was seen of the machine around a stretch of samples. */
export interface WindowSeen {
  /** Whether a counter of the machine was past its limit. */
  readonly disturbed: boolean;
  /** Seconds that the reference work took, the longer of before and after. */
  readonly workS: number;
}

export function lookBetween(before: Snapshot, after: Snapshot): WindowSeen {
  return {
    disturbed: listDisturbances(compareSnapshots(before, after)).length > 0,
    workS: Math.max(before.workS, after.workS),
  };
}

/** Whether so large a loss of pace counts as a disturbance. */
export function isPaceLost(paceLoss: number): boolean {
  return paceLoss >= limits.paceLoss;
}

/** Whether the main thread often stood ready without a core. */
export function hadToWait(exposure: Exposure): boolean {
  return exposure.wait >= limits.wait;
}

const phrases: Readonly<Record<keyof Exposure, (amount: number) => string>> = {
  wait: (share) => `waited ${formatPercent(share)} of the time for a core`,
  steal: (share) => `hypervisor took ${formatPercent(share)} of a core`,
  others: (cores) => `other processes used ${cores.toFixed(1)} cores`,
  memoryStall: (share) => `memory pressure for ${formatPercent(share)} of the time`,
  throttles: (count) => `${count} thermal throttle events`,
  slowdown: (share) => `core frequency fell by ${formatPercent(share)}`,
  paceLoss: (share) => `the core lost ${formatPercent(share)} of its pace`,
};

function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Says what disturbed a measurement, by the worst of each over its exposures; empty if nothing did. */
export function describeDisturbances(exposures: readonly Exposure[]): string {
  const keys = Object.keys(limits) as (keyof Exposure)[];
  const worst = Object.fromEntries(
    keys.map((key) => [key, Math.max(0, ...exposures.map((each) => each[key]))]),
  ) as unknown as Exposure;
  return listDisturbances(worst)
    .map((key) => phrases[key](worst[key]))
    .join("; ");
}

import type { Snapshot } from "./snapshot.js";

/**
 * What happened around the measured work between two snapshots. Shares are of the time between, `others` is in cores.
 */
export interface Exposure {
  /** The main thread stood ready without a core, for longer than the process's own other threads can have held it. */
  readonly wait: number;
  readonly steal: number;
  readonly others: number;
  readonly memoryStall: number;
  readonly throttles: number;
  /** Share of its frequency that the core lost. */
  readonly slowdown: number;
  /**
   * Share of its full pace that the core lost, by the reference work. Known only to who knows the full pace: 0 from
   * two snapshots.
   */
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

/**
 * Over a shorter time than this, in seconds, a tick of the kernel's accounting or one slice given to another would be
 * a large share.
 */
const shortestExposureS = 0.1;

/**
 * Compares two snapshots. What one of them lacks, or is too coarse to tell over so short a time, counts as nothing
 * seen.
 */
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

import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { listLivingTools } from "@fleetmark/shared/tools/tool-runner";
import type { Mount } from "../host/mountinfo.js";
import { toTagValue } from "../host/tag-value.js";
import type { LocalStatfs } from "./local-statfs.js";
import { type FileSystemSize, type SizesAnswer, type StatTool, statToolPrefix } from "./stat-tool.js";

/**
 * Measures the size of mounted file systems, any of which may hang for good (a dead file server) or fail:
 *
 *   well, on a local disk ──► the kernel's memory ──► size
 *   well ──► one process for all ──► sizes
 *    ▲                │ late, or one of them fails
 *    │                ▼
 *    │       each alone, a few at a time ──► size
 *    │                │ late, or fails
 *    │ answer         ▼
 *    └───────────── sick: asked alone, after 10 s, 20 s … 5 min; all others go on without it
 *
 * A process that is late is killed and left alone. One that can't be killed is never followed by a second for the same
 * mount (the tool runner sees to that), and so many of them are never exceeded.
 */

export const mountLimits = {
  /** Seconds in which a file system, or all of them together, must answer. */
  deadline: 2,
  /** How many are asked beside one another. */
  beside: 4,
  /** Seconds until a sick one is asked again: the first time, doubled each time, and at most. */
  firstRetry: 10,
  longestRetry: 300,
  /** Processes that were killed and have not ended; with as many, nobody sick is asked. */
  abandoned: 16,
} as const;

export interface MountMeterOptions {
  readonly local: LocalStatfs;
  readonly tool: StatTool;
  readonly logger: Logger;
  /** Milliseconds, never stepping. */
  now(): number;
}

interface Sickness {
  readonly isHung: boolean;
  readonly failures: number;
  readonly dueMs: number;
}

export interface MountMeter {
  readonly options: MountMeterOptions;
  readonly ending: AbortController;
  /** By path. */
  readonly sick: Map<string, Sickness>;
}

/** What one round found out. */
export interface MountRound {
  readonly sizes: Map<Mount, FileSystemSize>;
  /** The paths that do not answer, and those that did not before and do now or are gone. */
  readonly hung: string[];
  readonly freed: string[];
}

export function openMountMeter(options: MountMeterOptions): MountMeter {
  if (!options.tool.knowsUnits) options.logger.warn({ event: "mount_sizes_rough" });
  return { options, ending: new AbortController(), sick: new Map() };
}

export function closeMountMeter(meter: MountMeter): void {
  meter.ending.abort();
}

function describeMount({ path, fstype, device }: Mount): object {
  return { path: toTagValue(path), fstype, device: toTagValue(device) };
}

function noticeAnswer({ sick, options: { logger } }: MountMeter, mount: Mount): void {
  if (sick.delete(mount.path)) logger.info({ event: "mount_recovered", ...describeMount(mount) });
}

function noticeTrouble(meter: MountMeter, mount: Mount, isHung: boolean, reason: string): void {
  const { sick, options } = meter;
  const before = sick.get(mount.path);
  const failures = (before?.failures ?? 0) + 1;
  const wait = Math.min(mountLimits.longestRetry, mountLimits.firstRetry * 2 ** Math.min(failures - 1, 10));
  sick.set(mount.path, { isHung, failures, dueMs: options.now() + wait * 1000 });
  if (before?.isHung === isHung) return;
  if (isHung) options.logger.warn({ event: "mount_hung", code: "PROBE_FAILED", ...describeMount(mount) }, reason);
  else options.logger.info({ event: "mount_failed", code: "PROBE_FAILED", ...describeMount(mount) }, reason);
}

function takeSizes(meter: MountMeter, mounts: readonly Mount[], answer: SizesAnswer, sizes: MountRound["sizes"]): boolean {
  if (answer.state !== "ok") return false;
  for (const [i, mount] of mounts.entries()) {
    sizes.set(mount, answer.sizes[i]);
    noticeAnswer(meter, mount);
  }
  return true;
}

async function askAlone(meter: MountMeter, mount: Mount, sizes: MountRound["sizes"]): Promise<void> {
  const { options, ending } = meter;
  const abandoned = listLivingTools().filter((name) => name.startsWith(statToolPrefix)).length;
  if (abandoned >= mountLimits.abandoned) {
    noticeTrouble(meter, mount, false, `${abandoned} processes that ask file systems can't be ended, so no more are begun`);
    return;
  }
  const answer = await options.tool.ask([mount], mountLimits.deadline, ending.signal);
  if (takeSizes(meter, [mount], answer, sizes) || answer.state === "ok" || ending.signal.aborted) return;
  noticeTrouble(meter, mount, answer.state === "timed_out" || answer.state === "hung", answer.reason);
}

/** Asks those that can be asked in place, one after the other; returns the others. */
async function askLocal(meter: MountMeter, mounts: readonly Mount[], sizes: MountRound["sizes"]): Promise<Mount[]> {
  const others: Mount[] = [];
  for (const mount of mounts) {
    const asked = mount.isLocal ? meter.options.local.ask(mount, mountLimits.deadline) : undefined;
    if (asked === undefined) {
      others.push(mount);
      continue;
    }
    try {
      sizes.set(mount, await asked);
    } catch (thrown) {
      noticeTrouble(meter, mount, thrown instanceof FleetmarkError, errorMessage(thrown));
    }
  }
  return others;
}

async function askEachAlone(meter: MountMeter, mounts: readonly Mount[], sizes: MountRound["sizes"]): Promise<void> {
  const waiting = [...mounts];
  const askNext = async (): Promise<void> => {
    for (let mount = waiting.shift(); mount !== undefined; mount = waiting.shift()) {
      if (meter.ending.signal.aborted) return;
      await askAlone(meter, mount, sizes);
    }
  };
  await Promise.all(Array.from({ length: mountLimits.beside }, askNext));
}

async function askTogether(meter: MountMeter, mounts: readonly Mount[], sizes: MountRound["sizes"]): Promise<void> {
  const { options, ending } = meter;
  if (mounts.length > 1) {
    const answer = await options.tool.ask(mounts, mountLimits.deadline, ending.signal);
    if (takeSizes(meter, mounts, answer, sizes)) return;
  }
  await askEachAlone(meter, mounts, sizes);
}

/** Forgets what is no longer mounted. */
function forgetGone({ sick }: MountMeter, mounts: readonly Mount[]): void {
  const paths = new Set(mounts.map(({ path }) => path));
  for (const path of sick.keys()) if (!paths.has(path)) sick.delete(path);
}

function listHung({ sick }: MountMeter): string[] {
  return [...sick].filter(([, { isHung }]) => isHung).map(([path]) => path);
}

/** Returns the sick that are to be asked again, and no more than can be at once: the well wait for them. */
function listDue({ sick, options }: MountMeter, mounts: readonly Mount[]): Mount[] {
  const findDue = ({ path }: Mount): number => sick.get(path)?.dueMs ?? Number.POSITIVE_INFINITY;
  const due = mounts.filter((mount) => findDue(mount) <= options.now());
  return due.sort((a, b) => findDue(a) - findDue(b)).slice(0, mountLimits.beside);
}

/** Asks all mounts that are due. Takes seconds where some hang; never throws. One round at a time. */
export async function measureMounts(meter: MountMeter, mounts: readonly Mount[]): Promise<MountRound> {
  const { sick, options } = meter;
  const before = listHung(meter);
  forgetGone(meter, mounts);
  const sizes: MountRound["sizes"] = new Map();
  const well = await askLocal(
    meter,
    mounts.filter(({ path }) => !sick.has(path)),
    sizes,
  );
  const due = listDue(meter, mounts);
  const shared = well.filter((mount) => options.tool.canShare(mount));
  const alone = [...well.filter((mount) => !options.tool.canShare(mount)), ...due];
  await Promise.all([askTogether(meter, shared, sizes), askEachAlone(meter, alone, sizes)]);
  const hung = listHung(meter);
  return { sizes, hung, freed: before.filter((path) => !hung.includes(path)) };
}

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";

/**
 * A control group that bounds the memory of the processes in it, as a container or a systemd unit does: what takes more
 * is killed by the kernel. Both of Linux's interfaces are spoken (cgroups(7)).
 */
export interface MemoryGroup {
  add(pid: number): void;
  /** How many of its processes the kernel has killed for their memory. */
  readKills(): number;
}

interface Interface {
  /** Where the group is made. */
  readonly parent: string;
  readonly limit: string;
  /** The file whose line `oom_kill N` counts. */
  readonly events: string;
}

/** Returns the group of this process within a hierarchy, by the first pattern that fits a line of /proc/self/cgroup. */
function readOwnPath(pattern: RegExp): string | undefined {
  return pattern.exec(existsSync("/proc/self/cgroup") ? readFileSync("/proc/self/cgroup", "utf8") : "")?.[1];
}

/** A folder and those above it, up to the root of the hierarchy. */
function* climb(root: string, path: string): Generator<string> {
  for (let folder = join(root, path); folder.startsWith(root); folder = dirname(folder)) yield folder;
}

function listCandidates(): Interface[] {
  const first = readOwnPath(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m);
  const second = readOwnPath(/^0::(.*)$/m);
  const v1 = { limit: "memory.limit_in_bytes", events: "memory.oom_control" };
  const v2 = { limit: "memory.max", events: "memory.events" };
  return [
    ...(first === undefined ? [] : [...climb("/sys/fs/cgroup/memory", first)].map((parent) => ({ parent, ...v1 }))),
    ...(second === undefined ? [] : [...climb("/sys/fs/cgroup", second)].map((parent) => ({ parent, ...v2 }))),
  ];
}

let made = 0;

/** Makes a group's folder where memory can be bounded there; undefined where it can't. */
function tryMake({ parent, limit, events }: Interface, bytes: number): string | undefined {
  const folder = join(parent, `fleetmark-test-${process.pid}-${++made}`);
  try {
    mkdirSync(folder);
  } catch {
    return undefined;
  }
  try {
    if (!/^oom_kill \d/m.test(readFileSync(join(folder, events), "utf8"))) throw new Error("it does not count what it kills");
    writeFileSync(join(folder, limit), String(bytes));
    return folder;
  } catch {
    rmdirSync(folder);
    return undefined;
  }
}

function findInterface(): Interface | undefined {
  return listCandidates().find((each) => {
    const folder = tryMake(each, 2 ** 30);
    if (folder !== undefined) rmdirSync(folder);
    return folder !== undefined;
  });
}

const found = findInterface();

/** Why no group can be made here. */
export const memoryGroupObstacle =
  found === undefined ? "no control group that bounds memory can be made by this user; run as root on Linux" : undefined;

async function remove(folder: string): Promise<void> {
  // The kernel takes a moment for processes that have just ended.
  for (let i = 0; i < 100; i++) {
    try {
      rmdirSync(folder);
      return;
    } catch {
      await delay(20);
    }
  }
}

/** Makes a group for a test, which takes it away when it is over. */
export function makeMemoryGroup(bytes: number): MemoryGroup {
  const folder = found && tryMake(found, bytes);
  if (found === undefined || folder === undefined) throw new Error(memoryGroupObstacle);
  onTestFinished(() => remove(folder));
  return {
    add: (pid) => writeFileSync(join(folder, "cgroup.procs"), String(pid)),
    readKills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(folder, found.events), "utf8"))?.[1]),
  };
}

import { totalmem } from "node:os";
import { listUsableCores, parseCoreList } from "../machine/cores.js";
import type { HostView } from "./host-view.js";

/*
 * What control groups allow this process: a limit of its own group or of any above it, whichever is smallest.
 *
 *   /proc/self/cgroup        0::/kubepods/pod1/c2            the group, as seen from the namespace's root
 *   /proc/self/mountinfo     … /kubepods /sys/fs/cgroup …    what part of the tree is mounted, and where
 *   /sys/fs/cgroup/pod1/c2   cpu.max memory.max memory.high  read here, then in pod1, then at the mount itself
 *
 * Version 1 has a tree for each controller, version 2 one for all; a hybrid host has both. In a container the path may
 * lie outside of what is mounted: then what is mounted is the group.
 */

/** Undefined where there is no such limit. */
export interface Limits {
  readonly memoryBytes: number | undefined;
  /** CPU seconds per second. */
  readonly cpus: number | undefined;
  /** Processors that this process may run on, where those are fewer than are online. */
  readonly cpuset: number | undefined;
}

/** A mounted tree of control groups and the place of this process in it. */
interface Hierarchy {
  /** Controllers of version 1; empty for version 2. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** Below the mount point: empty, or with a leading slash. */
  readonly path: string;
}

/** Undoes how the kernel writes blanks in /proc/self/mountinfo (proc(5)). */
const unescapePath = (text: string): string =>
  text.replaceAll(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));

/** Returns the part of a path below the root of a mount; nothing where it lies outside. */
function findBelow(path: string, root: string): string {
  if (path.split("/").includes("..")) return "";
  const prefix = root.replace(/\/$/, "");
  return path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length).replace(/\/$/, "") : "";
}

function listHierarchies(view: HostView): Hierarchy[] {
  const groups = [...(view.read("/proc/self/cgroup") ?? "").matchAll(/^(\d+):([^:]*):(.*)$/gm)];
  const findPath = (controllers: readonly string[], root: string): string => {
    const own = groups.find(([, id, names]) =>
      controllers.length === 0 ? id === "0" && names === "" : names.split(",").some((name) => controllers.includes(name)),
    );
    return findBelow(own?.[3] ?? "/", root);
  };
  const mounts = (view.read("/proc/self/mountinfo") ?? "").split("\n").flatMap((line): Hierarchy[] => {
    const [before, after = ""] = line.split(" - ");
    const [, , , root, mountPoint] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (mountPoint === undefined || (type !== "cgroup" && type !== "cgroup2")) return [];
    const controllers = type === "cgroup2" ? [] : options.split(",").filter((name) => ["cpu", "memory"].includes(name));
    if (type === "cgroup" && controllers.length === 0) return [];
    return [{ controllers, mountPoint: unescapePath(mountPoint), path: findPath(controllers, unescapePath(root)) }];
  });
  return mounts.length > 0 ? mounts : [{ controllers: [], mountPoint: "/sys/fs/cgroup", path: findPath([], "/") }];
}

/** Lists the folders of a group and of those above it, up to the mount point. */
function listFolders({ mountPoint, path }: Hierarchy): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return Array.from({ length: names.length + 1 }, (_, i) => [mountPoint, ...names.slice(0, names.length - i)].join("/"));
}

/** Reads a positive number; undefined for `max`, -1 and what is no number. */
function parseLimit(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

function divide(quota: number | undefined, period: number | undefined): number | undefined {
  return quota === undefined || period === undefined ? undefined : quota / period;
}

function readQuota(view: HostView, folder: string, { controllers }: Hierarchy): number | undefined {
  if (controllers.length === 0) {
    const [quota, period] = (view.read(`${folder}/cpu.max`) ?? "").split(" ");
    return divide(parseLimit(quota), parseLimit(period ?? "100000"));
  }
  if (!controllers.includes("cpu")) return undefined;
  return divide(
    parseLimit(view.read(`${folder}/cpu.cfs_quota_us`)),
    parseLimit(view.read(`${folder}/cpu.cfs_period_us`) ?? "100000"),
  );
}

function listMemoryLimits(view: HostView, folder: string, { controllers }: Hierarchy): (number | undefined)[] {
  if (controllers.length === 0) return ["memory.max", "memory.high"].map((name) => parseLimit(view.read(`${folder}/${name}`)));
  if (!controllers.includes("memory")) return [];
  // Of the groups above, even of those that a container does not see.
  const above = view.read(`${folder}/memory.stat`)?.match(/^hierarchical_memory_limit (\d+)$/m)?.[1];
  return [parseLimit(view.read(`${folder}/memory.limit_in_bytes`)), parseLimit(above)];
}

function findSmallest(limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter((limit) => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/**
 * Counts the processors that this process may run on (its affinity, which its cpuset bounds), where those are fewer
 * than are online.
 */
function countCpuset(view: HostView): number | undefined {
  const usable = listUsableCores(view.read).length;
  const online = parseCoreList(view.read("/sys/devices/system/cpu/online") ?? "").length;
  return usable > 0 && usable < online ? usable : undefined;
}

/** Reads what control groups and the affinity allow this process. */
export function readLimits(view: HostView, installedBytes = totalmem()): Limits {
  const groups = listHierarchies(view).flatMap((hierarchy) =>
    listFolders(hierarchy).map((folder) => ({
      cpus: readQuota(view, folder, hierarchy),
      memory: findSmallest(listMemoryLimits(view, folder, hierarchy)),
    })),
  );
  const memory = findSmallest(groups.map((group) => group.memory));
  return {
    // No limit is written as a number beyond all memory in version 1.
    memoryBytes: memory !== undefined && memory < installedBytes ? memory : undefined,
    cpus: findSmallest(groups.map((group) => group.cpus)),
    cpuset: countCpuset(view),
  };
}

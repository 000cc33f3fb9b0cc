import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import type { Point } from "@fleetmark/shared/model/series";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { type Fields, failParse, type Probe, readProc } from "./probe.js";

/** A mounted file system that holds data of its own. */
export interface Mount {
  readonly path: string;
  readonly device: string;
  readonly fstype: string;
  readonly mode: "ro" | "rw";
}

/**
 * The file systems that Telegraf's disk input ignores by default: they live in memory, are read-only images, or show
 * another's space.
 */
const ignoredTypes = new Set(["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"]);

/** Seconds. A network file system that hangs must not hold up the others. */
const statTimeout = 1;

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/**
 * Reads /proc/self/mountinfo, proc(5):
 * `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
 * A file system mounted several times (bind mounts) counts once: by its mount of the whole tree, else its shortest
 * path.
 */
export function parseMounts(text: string): Mount[] {
  const chosen = new Map<string, Mount & { readonly whole: boolean }>();
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    const [, , number, root, path, options] = left.split(" ");
    const [fstype, source] = right?.split(" ") ?? [];
    if (source === undefined || options === undefined || ignoredTypes.has(fstype)) continue;
    const device = unescapePath(source);
    const mount: Mount & { readonly whole: boolean } = {
      path: unescapePath(path),
      device: device.replace(/^\/dev\//, ""),
      fstype,
      mode: options.split(",").includes("ro") ? "ro" : "rw",
      whole: root === "/",
    };
    const key = device.startsWith("/dev/") ? device : number;
    const rival = chosen.get(key);
    const better = rival === undefined || (mount.whole === rival.whole ? mount.path.length < rival.path.length : mount.whole);
    if (better) chosen.set(key, mount);
  }
  return [...chosen.values()].map(({ whole: _, ...mount }) => mount);
}

/**
 * Telegraf's disk fields, bytes and percent. Undefined for file systems without space of their own (proc, sysfs,
 * cgroup …).
 */
export function diskFields(
  stats: Pick<StatsFs, "bsize" | "blocks" | "bfree" | "bavail" | "files" | "ffree">,
): Fields | undefined {
  const { bsize, blocks, bfree, bavail, files, ffree } = stats;
  if (!(blocks > 0)) return undefined;
  const used = (blocks - bfree) * bsize;
  const free = bavail * bsize;
  return {
    total: blocks * bsize,
    free,
    used,
    used_percent: used + free > 0 ? (100 * used) / (used + free) : 0,
    inodes_total: files,
    inodes_free: ffree,
    inodes_used: files - ffree,
  };
}

export const diskProbe: Probe<"disk"> = {
  name: "disk",
  create(roots) {
    // Each statfs that hangs keeps a thread of the pool, so a path is not asked again before it has answered.
    const waiting = new Set<string>();
    const measure = async (mount: Mount, nowUs: number): Promise<Point[]> => {
      if (waiting.has(mount.path)) return [];
      waiting.add(mount.path);
      const found: StatsFs[] = [];
      const answer = statfs(mount.path).then((stats) => found.push(stats));
      await waitAtMost(
        answer.finally(() => waiting.delete(mount.path)),
        statTimeout,
      );
      const fields = found.length === 0 ? undefined : diskFields(found[0]);
      if (fields === undefined) return [];
      const { path, device, fstype, mode } = mount;
      return [{ measurement: "disk", tags: { path, device, fstype, mode }, timeUs: nowUs, fields }];
    };
    return async (nowUs) => {
      const text = readProc(roots, "self", "mountinfo");
      if (!text.includes(" - ")) failParse("/proc/self/mountinfo");
      return (await Promise.all(parseMounts(text).map((mount) => measure(mount, nowUs)))).flat();
    };
  },
};

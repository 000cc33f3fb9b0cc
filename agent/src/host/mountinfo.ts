/** A mounted file system. Its texts are bytes, one a character: paths and devices need not be UTF-8. */
export interface Mount {
  readonly path: string;
  readonly device: string;
  readonly fstype: string;
  readonly mode: "ro" | "rw";
  /** Whether nothing but the kernel's memory answers for it and for all that its path leads through. */
  readonly isLocal: boolean;
}

/** A line of /proc/self/mountinfo. */
interface MountLine extends Omit<Mount, "isLocal"> {
  /** Major and minor number of what is mounted. */
  readonly number: string;
  /** Whether the whole file system is mounted, not a folder of it. */
  readonly isWhole: boolean;
}

/**
 * File systems without space of their own to tell of. The first row is what Telegraf's disk input ignores by default:
 * they live in memory, are read-only images, or show another's space. The others are the kernel's, and have no blocks.
 * To ask an autofs would make it mount what it stands for.
 */
const ignoredTypes = new Set([
  ...["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"],
  ...["autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "fusectl", "mqueue", "nsfs"],
  ...["proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"],
]);

/** File systems of disks, whose counters and whose mounted folders the kernel holds in memory; and memory itself. */
const localTypes = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "tmpfs", "devtmpfs", "ramfs"]);

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescapeName(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`, proc(5). */
function parseLine(line: string): MountLine | undefined {
  const [left, right] = line.split(" - ");
  const [, , number, root, path, options] = left.split(" ");
  const [fstype, source] = right?.split(" ") ?? [];
  if (source === undefined || options === undefined) return undefined;
  return {
    path: unescapeName(path),
    device: unescapeName(source),
    fstype: unescapeName(fstype),
    mode: options.split(",").includes("ro") ? "ro" : "rw",
    number,
    isWhole: root === "/",
  };
}

/** Reads /proc/self/mountinfo. Of what is mounted one over the other on a path, the last is what the path leads to. */
function parseLines(text: string): MountLine[] {
  const byPath = new Map<string, MountLine>();
  for (const line of text.split("\n")) {
    const mount = parseLine(line);
    if (mount === undefined) continue;
    byPath.delete(mount.path);
    byPath.set(mount.path, mount);
  }
  return [...byPath.values()];
}

/** Whether every file system is local that the way to a path leads through. */
function isReachedLocally(path: string, lines: readonly MountLine[]): boolean {
  return lines.every((line) => {
    const isOnTheWay = path === line.path || path.startsWith(line.path === "/" ? "/" : `${line.path}/`);
    return !isOnTheWay || localTypes.has(line.fstype);
  });
}

/**
 * Returns the file systems of /proc/self/mountinfo that hold data of their own. One that is mounted several times
 * (bind mounts) counts once: by its mount of the whole tree, else its shortest path.
 */
export function parseMounts(text: string): Mount[] {
  const lines = parseLines(text);
  const chosen = new Map<string, MountLine>();
  for (const mount of lines) {
    if (ignoredTypes.has(mount.fstype)) continue;
    const key = mount.device.startsWith("/dev/") ? mount.device : mount.number;
    const rival = chosen.get(key);
    const isBetter =
      rival === undefined || (mount.isWhole === rival.isWhole ? mount.path.length < rival.path.length : mount.isWhole);
    if (isBetter) chosen.set(key, mount);
  }
  return [...chosen.values()].map(({ path, device, fstype, mode }) => {
    return { path, device: device.replace(/^\/dev\//, ""), fstype, mode, isLocal: isReachedLocally(path, lines) };
  });
}

/**
 * Returns the paths at or below `folder` that a program shows, and not the kernel: lxcfs mounts files of its own over
 * /proc/stat and others in containers. A program may hang.
 */
export function findShownByPrograms(text: string, folder: string): string[] {
  return parseLines(text)
    .filter(({ path, fstype }) => /^fuse(\.|$)/.test(fstype) && (path === folder || path.startsWith(`${folder}/`)))
    .map(({ path }) => path);
}

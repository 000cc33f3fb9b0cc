import { fileURLToPath } from "node:url";
import { runTool, type ToolState } from "@fleetmark/shared/tools/tool-runner";
import { findSystemTool } from "../host/host-file.js";
import type { Mount } from "../host/mountinfo.js";

/**
 * Asks file systems for their size in processes of their own, for any of them may never answer. The program `stat`
 * knows what Node's statfs does not tell: in what unit blocks are counted (f_frsize), which is not the block size
 * (f_bsize) on FUSE, virtiofs, CephFS and ZFS. Where there is none, a Node process asks, and the size is left open of
 * file systems that may count otherwise.
 */

/** What statfs(2) tells of a file system. */
export interface FileSystemSize {
  /** Bytes of the unit that blocks are counted in; undefined where it can't be told. */
  readonly unit: number | undefined;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

/** The sizes, one a mount in their order; or why there are none. */
export type SizesAnswer =
  | { readonly state: "ok"; readonly sizes: readonly FileSystemSize[] }
  | { readonly state: Exclude<ToolState, "ok">; readonly reason: string };

export interface StatTool {
  /** Whether mounts are asked by a program that knows their units. */
  readonly knowsUnits: boolean;
  /** Whether a mount may be asked together with others. */
  canShare(mount: Mount): boolean;
  /** Asks all, or none where one fails. Never throws, and never waits beyond the deadline (seconds). */
  ask(mounts: readonly Mount[], deadlineS: number, signal: AbortSignal): Promise<SizesAnswer>;
}

/** Every process that asks mounts has a name that begins so. */
export const statToolPrefix = "stat ";

/** Unit, blocks, free, available, inodes and free inodes; GNU's and BusyBox's `stat -f` agree on the letters. */
const format = "%S %b %f %a %c %d";

/**
 * An argument of a program is UTF-8 in Node, so the shell makes a path that isn't from octal digits. The x at its end
 * keeps the shell from taking newlines off it.
 */
const shellScript = `path=$(printf '%bx' "$1"); exec "$2" -f -c "$3" -- "\${path%x}"`;

/** File systems whose unit is their block size. */
const plainTypes = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs", "vfat", "exfat", "ntfs3"]);

const childPath = fileURLToPath(new URL("./stat-child.js", import.meta.url));

interface ToolCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** Returns the path as a text that Node writes as the same bytes; undefined if there is none. */
function toArgument(bytes: string): string | undefined {
  const buffer = Buffer.from(bytes, "latin1");
  const text = buffer.toString("utf8");
  return Buffer.from(text, "utf8").equals(buffer) ? text : undefined;
}

function toOctal(bytes: string): string {
  return [...bytes].map((byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
}

function chooseCommand({ stat, shell }: StatPrograms, mounts: readonly Mount[]): ToolCommand {
  const paths = mounts.map(({ path }) => toArgument(path)).filter((path) => path !== undefined);
  if (stat !== undefined && paths.length === mounts.length) return { command: stat, args: ["-f", "-c", format, "--", ...paths] };
  if (stat !== undefined && shell !== undefined && mounts.length === 1) {
    return { command: shell, args: ["-c", shellScript, "sh", toOctal(mounts[0].path), stat, format] };
  }
  const encoded = mounts.map(({ path }) => Buffer.from(path, "latin1").toString("hex"));
  return { command: process.execPath, args: [childPath, ...encoded] };
}

function parseSize(line: string, mount: Mount): FileSystemSize | undefined {
  const match = /^(-?)(\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/.exec(line);
  if (match === null) return undefined;
  const [unit, blocks, bfree, bavail, files, ffree] = match.slice(2).map(Number);
  // The Node process marks by a minus that it told the block size.
  const isUnitKnown = match[1] === "" || plainTypes.has(mount.fstype);
  return { unit: isUnitKnown ? unit : undefined, blocks, bfree, bavail, files, ffree };
}

function parseSizes(stdout: string, mounts: readonly Mount[]): SizesAnswer {
  const lines = stdout.trimEnd().split("\n");
  const sizes = mounts.map((mount, i) => parseSize(lines[i] ?? "", mount)).filter((size) => size !== undefined);
  if (sizes.length === mounts.length && lines.length === mounts.length) return { state: "ok", sizes };
  return { state: "failed", reason: "stat printed what was not expected" };
}

/** Paths of programs; undefined where there is none. */
export interface StatPrograms {
  readonly stat: string | undefined;
  readonly shell: string | undefined;
}

function findPrograms(): StatPrograms {
  return { stat: findSystemTool("stat"), shell: findSystemTool("sh") };
}

export function createStatTool(programs: StatPrograms = findPrograms()): StatTool {
  const { stat } = programs;
  return {
    knowsUnits: stat !== undefined,
    canShare: ({ path }) => stat === undefined || toArgument(path) !== undefined,
    ask: async (mounts, deadlineS, signal) => {
      const { command, args } = chooseCommand(programs, mounts);
      const name = statToolPrefix + (mounts.length === 1 ? mounts[0].path : "of several");
      const outcome = await runTool(name, command, args, { deadlineS, signal });
      return outcome.state === "ok" ? parseSizes(outcome.stdout, mounts) : outcome;
    },
  };
}

import { readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { readText } from "../machine/text-file.js";

/**
 * The files through which a kernel tells of its host. Only Linux has them: elsewhere none is looked for, and what they
 * would tell is missing. Everything here answers at once, whatever state a driver is in: what may wait for one is read
 * by a tool (gpu-tools.ts).
 */
export interface HostView {
  readonly platform: NodeJS.Platform;
  readonly architecture: string;
  /** Returns the trimmed text of a file, or undefined where it can't be read. */
  read(path: string): string | undefined;
  /** Returns the names in a folder, sorted; none where it can't be read. */
  list(path: string): readonly string[];
  /** Returns the last part of where a link points to, or undefined where there is no link. */
  readLink(path: string): string | undefined;
}

/** @param root a folder under which the files lie, instead of the host's own */
export function createHostView(platform: NodeJS.Platform = process.platform, root = ""): HostView {
  const isLinux = platform === "linux";
  const attempt = <T>(read: () => T, otherwise: T): T => {
    try {
      return isLinux ? read() : otherwise;
    } catch {
      return otherwise;
    }
  };
  return {
    platform,
    architecture: process.arch,
    read: (path) => attempt(() => readText(root + path), undefined),
    list: (path) => attempt(() => readdirSync(root + path).sort(), []),
    readLink: (path) => attempt<string | undefined>(() => basename(readlinkSync(root + path)), undefined),
  };
}

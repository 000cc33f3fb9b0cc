import type { Point } from "@fleetmark/shared/model/series";
import { readHostFile } from "../host/host-file.js";
import { type Mount, parseMounts } from "../host/mountinfo.js";
import { toTagValue } from "../host/tag-value.js";
import { createLocalStatfs } from "../mounts/local-statfs.js";
import { closeMountMeter, measureMounts, openMountMeter } from "../mounts/mount-meter.js";
import { createStatTool, type FileSystemSize, type StatTool } from "../mounts/stat-tool.js";
import { type Fields, failParse, type OpenProbe, type Probe, type ProbeContext } from "./probe.js";

/**
 * Telegraf's disk fields, bytes and percent. Undefined for file systems without space of their own (hugetlbfs, gvfs
 * …). Where the unit of the blocks is not known, so are the bytes.
 */
export function diskFields({ unit, blocks, bfree, bavail, files, ffree }: FileSystemSize): Fields | undefined {
  if (!(blocks > 0)) return undefined;
  const used = blocks - bfree;
  const bytes: Fields = unit === undefined ? {} : { total: blocks * unit, free: bavail * unit, used: used * unit };
  return {
    ...bytes,
    used_percent: used + bavail > 0 ? (100 * used) / (used + bavail) : 0,
    inodes_total: files,
    inodes_free: ffree,
    inodes_used: files - ffree,
    inodes_used_percent: files > 0 ? (100 * (files - ffree)) / files : 0,
  };
}

function makePoint(mount: Mount, size: FileSystemSize, timeUs: number): Point[] {
  const fields = diskFields(size);
  if (fields === undefined) return [];
  const { path, device, fstype, mode } = mount;
  const tags = { path: toTagValue(path), device: toTagValue(device), fstype: toTagValue(fstype), mode };
  return [{ measurement: "disk", tags, timeUs, fields }];
}

function tellHung(path: string, isHung: boolean, timeUs: number): Point {
  return { measurement: "agent", tags: { path: toTagValue(path) }, timeUs, fields: { mount_hung: isHung ? 1 : 0 } };
}

/** Opens the probe with a tool that asks file systems for their size, which a test gives. */
export function openDiskProbe({ roots, logger }: ProbeContext, tool: StatTool = createStatTool()): OpenProbe {
  const meter = openMountMeter({ local: createLocalStatfs(), tool, logger, now: () => performance.now() });
  return {
    sample: async (nowUs) => {
      const text = await readHostFile(roots, "proc", "self", "mountinfo");
      if (!text.includes(" - ")) failParse("/proc/self/mountinfo");
      const { sizes, hung, freed } = await measureMounts(meter, parseMounts(text));
      return [
        ...[...sizes].flatMap(([mount, size]) => makePoint(mount, size, nowUs)),
        ...hung.map((path) => tellHung(path, true, nowUs)),
        ...freed.map((path) => tellHung(path, false, nowUs)),
      ];
    },
    close: () => closeMountMeter(meter),
  };
}

export const diskProbe: Probe<"disk"> = {
  name: "disk",
  open: (context) => openDiskProbe(context),
};

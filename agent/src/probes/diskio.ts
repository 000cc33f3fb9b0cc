import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Point } from "@fleetmark/shared/model/series";
import { type Roots, readHostFile } from "../host/host-file.js";
import { toTagValue } from "../host/tag-value.js";
import { type Fields, type Probe, parseCounts, sampleBy } from "./probe.js";

/** Loop, RAM and floppy devices, as in node_exporter's diskstats collector. */
const ignoredDevices = /^(z?ram|loop|fd)\d+$/;

/** A partition as the kernel names it after its disk: sda1, xvda1; where the disk ends in a digit, nvme0n1p1, md0p1. */
const partitionForm = /^((?:h|s|v|xv|das)d[a-z]+|(?:nvme\d+n|mmcblk|nbd|md)\d+(?=p))p?\d+$/;

/**
 * /proc/diskstats counts sectors of 512 bytes, whatever the device's own size
 * (Documentation/admin-guide/iostats.rst).
 */
const sectorBytes = 512;

/** Reads /proc/diskstats: Telegraf's diskio fields by device. Counts since boot; times in milliseconds. */
export function parseDiskstats(text: string): Map<string, Fields> {
  const devices = new Map<string, Fields>();
  for (const line of text.split("\n")) {
    const words = line.trim().split(/[ \t]+/);
    const name = words[2];
    const counts = parseCounts(words, 3);
    if (name === undefined || counts.length < 11 || ignoredDevices.test(name)) continue;
    const [reads, mergedReads, sectorsRead, readTime, writes, mergedWrites, sectorsWritten, writeTime, busy, ioTime, weighted] =
      counts;
    devices.set(name, {
      reads,
      writes,
      read_bytes: sectorsRead * sectorBytes,
      write_bytes: sectorsWritten * sectorBytes,
      read_time: readTime,
      write_time: writeTime,
      io_time: ioTime,
      weighted_io_time: weighted,
      iops_in_progress: busy,
      merged_reads: mergedReads,
      merged_writes: mergedWrites,
    });
  }
  return devices;
}

/** Names of a folder of /sys, where a slash stands as an exclamation mark; none where there is no such folder. */
function listDevices(roots: Roots, ...folder: string[]): Set<string> {
  try {
    return new Set(readdirSync(join(roots.sys, ...folder)).map((name) => name.replaceAll("!", "/")));
  } catch {
    return new Set();
  }
}

/**
 * Leaves the whole disks, whose counters hold those of their partitions. /sys/block has the disks and /sys/class/block
 * partitions too. Of a device that neither has, the name decides: it is a partition if its disk is there. A Xen guest
 * has an xvda1 without an xvda, which is a disk.
 */
export function chooseDisks<T>(
  devices: ReadonlyMap<string, T>,
  disks: ReadonlySet<string>,
  all: ReadonlySet<string>,
): [string, T][] {
  return [...devices].filter(([name]) => {
    if (disks.has(name)) return true;
    if (all.has(name)) return false;
    const disk = partitionForm.exec(name)?.[1];
    return disk === undefined || !devices.has(disk);
  });
}

/** Counters that only grow, until the device is another. */
const growing = ["reads", "writes", "read_time", "write_time", "io_time"] as const;

/**
 * What Telegraf says of the time between two samples of a device, as iostat(1) does: milliseconds that a request
 * waited and was served, and percent of the time that the device was busy. Without a request the first two are not
 * said; nothing is, where a counter fell.
 * @param elapsedMs between the samples
 */
export function measureRequests(before: Fields, after: Fields, elapsedMs: number): Fields {
  const grown = growing.map((field) => after[field] - before[field]);
  if (grown.some((growth) => growth < 0) || elapsedMs <= 0) return {};
  const [reads, writes, readTime, writeTime, ioTime] = grown;
  const requests = reads + writes;
  const ofRequests: Fields = requests > 0 ? { io_await: (readTime + writeTime) / requests, io_svctm: ioTime / requests } : {};
  return { ...ofRequests, io_util: (100 * ioTime) / elapsedMs };
}

export const diskioProbe: Probe<"diskio"> = {
  name: "diskio",
  open({ roots }) {
    let before: { readonly devices: ReadonlyMap<string, Fields>; readonly atMs: number } | undefined;
    return sampleBy(async (nowUs) => {
      const devices = parseDiskstats(await readHostFile(roots, "proc", "diskstats"));
      const atMs = performance.now();
      const elapsedMs = atMs - (before?.atMs ?? atMs);
      const whole = chooseDisks(devices, listDevices(roots, "block"), listDevices(roots, "class", "block"));
      const points = whole.map(([name, fields]): Point => {
        const earlier = before?.devices.get(name);
        const measured = earlier === undefined ? {} : measureRequests(earlier, fields, elapsedMs);
        return { measurement: "diskio", tags: { name: toTagValue(name) }, timeUs: nowUs, fields: { ...fields, ...measured } };
      });
      before = { devices, atMs };
      return points;
    });
  },
};

import { type Fields, type Probe, parseCounts, readProc } from "./probe.js";

/**
 * Partitions, loop, RAM and floppy devices: the default of node_exporter's diskstats collector. Whole devices remain.
 */
const ignoredDevices = /^(z?ram|loop|fd|(h|s|v|xv)d[a-z]+|nvme\d+n\d+p|mmcblk\d+p)\d+$/;

/**
 * /proc/diskstats counts sectors of 512 bytes, whatever the device's own size
 * (Documentation/admin-guide/iostats.rst).
 */
const sectorBytes = 512;

/** Reads /proc/diskstats: Telegraf's diskio fields by device. Counts since boot; times in milliseconds. */
export function parseDiskstats(text: string): Map<string, Fields> {
  const devices = new Map<string, Fields>();
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
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

export const diskioProbe: Probe<"diskio"> = {
  name: "diskio",
  create(roots) {
    return (nowUs) =>
      [...parseDiskstats(readProc(roots, "diskstats"))].map(([name, fields]) => {
        return { measurement: "diskio", tags: { name }, timeUs: nowUs, fields };
      });
  },
};

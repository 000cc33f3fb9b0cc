import { readHostFile } from "../host/host-file.js";
import { type Fields, failParse, type Probe, parseCount, sampleBy } from "./probe.js";

/** Telegraf's mem fields that are one line of /proc/meminfo. */
const plainFields: Readonly<Record<string, string>> = {
  active: "Active",
  buffered: "Buffers",
  commit_limit: "CommitLimit",
  committed_as: "Committed_AS",
  dirty: "Dirty",
  free: "MemFree",
  high_free: "HighFree",
  high_total: "HighTotal",
  huge_page_size: "Hugepagesize",
  huge_pages_free: "HugePages_Free",
  huge_pages_total: "HugePages_Total",
  inactive: "Inactive",
  low_free: "LowFree",
  low_total: "LowTotal",
  mapped: "Mapped",
  page_tables: "PageTables",
  shared: "Shmem",
  slab: "Slab",
  sreclaimable: "SReclaimable",
  sunreclaim: "SUnreclaim",
  swap_cached: "SwapCached",
  swap_free: "SwapFree",
  swap_total: "SwapTotal",
  total: "MemTotal",
  vmalloc_chunk: "VmallocChunk",
  vmalloc_total: "VmallocTotal",
  vmalloc_used: "VmallocUsed",
  write_back: "Writeback",
  write_back_tmp: "WritebackTmp",
};

/** Reads /proc/meminfo: bytes where a line says kB, else the bare count (huge pages). */
export function parseMeminfo(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([A-Za-z0-9_()]+):\s+(\d+)( kB)?\s*$/.exec(line);
    const count = parseCount(match?.[2]);
    if (match !== null && count !== undefined) lines.set(match[1], match[3] === undefined ? count : count * 1024);
  }
  return lines;
}

/** What only kernels of 32 bits tell; Telegraf gives 0 elsewhere. */
const highMemoryFields = ["high_free", "high_total", "low_free", "low_total"] as const;

/**
 * Telegraf's mem fields, bytes and percent. `used` is total − available and `cached` includes reclaimable slab, as in
 * version 4 of the gopsutil library that Telegraf reads memory with. Undefined when the text gives no total.
 */
export function memFields(lines: ReadonlyMap<string, number>): Fields | undefined {
  const total = lines.get("MemTotal");
  const free = lines.get("MemFree");
  if (total === undefined || free === undefined || total === 0) return undefined;
  const fields: Fields = {};
  for (const [field, name] of Object.entries(plainFields)) {
    const value = lines.get(name);
    if (value !== undefined) fields[field] = value;
  }
  const buffered = lines.get("Buffers") ?? 0;
  for (const field of highMemoryFields) fields[field] ??= 0;
  fields.cached = (lines.get("Cached") ?? 0) + (lines.get("SReclaimable") ?? 0);
  // Kernels before 3.14 do not estimate what is available.
  fields.available = Math.min(total, lines.get("MemAvailable") ?? free + buffered + fields.cached);
  fields.used = total - fields.available;
  fields.used_percent = (100 * fields.used) / total;
  fields.available_percent = (100 * fields.available) / total;
  return fields;
}

export const memProbe: Probe<"mem"> = {
  name: "mem",
  open({ roots }) {
    return sampleBy(async (nowUs) => {
      const fields = memFields(parseMeminfo(await readHostFile(roots, "proc", "meminfo"))) ?? failParse("/proc/meminfo");
      return [{ measurement: "mem", tags: {}, timeUs: nowUs, fields }];
    });
  },
};

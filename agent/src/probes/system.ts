import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Roots, readHostFile } from "../host/host-file.js";
import { type Fields, failParse, type Probe, sampleBy } from "./probe.js";

/** Telegraf's system fields from /proc/loadavg, /proc/uptime (seconds) and the cpuN lines of /proc/stat. */
export function parseSystem(loadavg: string, uptime: string, stat: string): Fields | undefined {
  const decimal = /^\d{1,12}(\.\d{1,6})?$/;
  const loads = loadavg.split(" ", 3);
  const [up] = uptime.split(" ", 1);
  if (loads.length < 3 || ![...loads, up].every((word) => decimal.test(word))) return undefined;
  const [load1, load5, load15] = loads.map(Number);
  return { load1, load5, load15, n_cpus: stat.match(/^cpu\d+ /gm)?.length ?? 0, uptime: Math.floor(Number(up)) };
}

/**
 * Counts cores, each of which may have several processors, by what the kernel says of their threads; undefined where it
 * says nothing. It says more of processors that are there than of those that are off.
 */
export function countCores(roots: Roots): number | undefined {
  const folder = join(roots.sys, "devices/system/cpu");
  const cores = new Set<string>();
  try {
    for (const name of readdirSync(folder).filter((each) => /^cpu\d+$/.test(each))) {
      const path = join(folder, name, "topology/thread_siblings_list");
      if (existsSync(path)) cores.add(readFileSync(path, "latin1").trim());
    }
  } catch {
    return undefined;
  }
  return cores.size > 0 ? cores.size : undefined;
}

export const systemProbe: Probe<"system"> = {
  name: "system",
  open({ roots }) {
    // It changes with the processors that are on, and those are counted each time.
    let cores: { readonly ofCpus: number; readonly count: number | undefined } | undefined;
    return sampleBy(async (nowUs) => {
      const read = (name: string): Promise<string> => readHostFile(roots, "proc", name);
      const [loadavg, uptime, stat] = await Promise.all([read("loadavg"), read("uptime"), read("stat")]);
      const fields = parseSystem(loadavg, uptime, stat) ?? failParse("/proc/loadavg or /proc/uptime");
      if (cores?.ofCpus !== fields.n_cpus) cores = { ofCpus: fields.n_cpus, count: countCores(roots) };
      if (cores.count !== undefined) fields.n_physical_cpus = cores.count;
      return [{ measurement: "system", tags: {}, timeUs: nowUs, fields }];
    });
  },
};

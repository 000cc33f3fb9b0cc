import { type Roots, readHostFile } from "../host/host-file.js";
import { type Fields, failParse, type Probe, sampleBy } from "./probe.js";

/** Telegraf's system fields from /proc/loadavg, /proc/uptime (seconds) and the cpuN lines of /proc/stat. */
export function parseSystem(loadavg: string, uptime: string, stat: string): Fields | undefined {
  const decimal = /^\d{1,12}(\.\d{1,6})?$/;
  const loads = loadavg.split(" ", 3);
  const [up] = uptime.split(" ", 1);
  if (loads.length < 3 || ![...loads, up].every((word) => decimal.test(word))) return undefined;
  const [load1, load5, load15] = loads.map(Number);
  return { load1, load5, load15, n_cpus: listProcessors(stat).length, uptime: Math.floor(Number(up)) };
}

/** Names the processors of /proc/stat that are on: cpu0, cpu1, … */
function listProcessors(stat: string): string[] {
  return stat.match(/^cpu\d+(?= )/gm) ?? [];
}

/**
 * Counts cores, each of which may have several processors, by what the kernel says of their threads; undefined where it
 * says nothing.
 */
export async function countCores(roots: Roots, processors: readonly string[]): Promise<number | undefined> {
  const cores = new Set<string>();
  for (const name of processors) {
    try {
      cores.add((await readHostFile(roots, "sys", "devices/system/cpu", name, "topology/thread_siblings_list")).trim());
    } catch {
      // Not every kernel tells it.
      return undefined;
    }
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
      if (cores?.ofCpus !== fields.n_cpus)
        cores = { ofCpus: fields.n_cpus, count: await countCores(roots, listProcessors(stat)) };
      if (cores.count !== undefined) fields.n_physical_cpus = cores.count;
      return [{ measurement: "system", tags: {}, timeUs: nowUs, fields }];
    });
  },
};

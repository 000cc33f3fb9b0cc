import { readHostFile } from "../host/host-file.js";
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

export const systemProbe: Probe<"system"> = {
  name: "system",
  open({ roots }) {
    return sampleBy(async (nowUs) => {
      const read = (name: string): Promise<string> => readHostFile(roots, "proc", name);
      const [loadavg, uptime, stat] = await Promise.all([read("loadavg"), read("uptime"), read("stat")]);
      const fields = parseSystem(loadavg, uptime, stat) ?? failParse("/proc/loadavg or /proc/uptime");
      return [{ measurement: "system", tags: {}, timeUs: nowUs, fields }];
    });
  },
};

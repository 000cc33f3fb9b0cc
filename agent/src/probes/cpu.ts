import { readHostFile } from "../host/host-file.js";
import { type Fields, failParse, type Probe, parseCounts, sampleBy } from "./probe.js";

/** Columns of a `cpu` line of /proc/stat, proc(5), in clock ticks. Older kernels lack the last ones. */
const columns = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"] as const;
type Times = Record<(typeof columns)[number], number>;

/** Reads the `cpu` lines of /proc/stat, by Telegraf's value of the tag cpu: cpu-total, cpu0, cpu1 … */
export function parseCpuTimes(text: string): Map<string, Times> {
  const times = new Map<string, Times>();
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (!/^cpu\d*$/.test(words[0])) continue;
    const counts = parseCounts(words, 1);
    if (counts.length < 4) continue;
    const entry = Object.fromEntries(columns.map((column, i) => [column, counts[i] ?? 0])) as Times;
    times.set(words[0] === "cpu" ? "cpu-total" : words[0], entry);
  }
  return times;
}

/**
 * Percent of the time between two readings, as Telegraf's cpu input: the kernel counts a guest's time as user time
 * too, so it is taken off there. proc(5) warns that counters may step back (iowait does); such a step counts as none.
 * Undefined when no time has passed.
 */
export function cpuUsage(before: Times, now: Times): Fields | undefined {
  const delta = Object.fromEntries(columns.map((column) => [column, Math.max(0, now[column] - before[column])])) as Times;
  const total = delta.user + delta.nice + delta.system + delta.idle + delta.iowait + delta.irq + delta.softirq + delta.steal;
  if (total <= 0) return undefined;
  const percent = (ticks: number): number => (100 * Math.min(Math.max(0, ticks), total)) / total;
  return {
    usage_user: percent(delta.user - delta.guest),
    usage_system: percent(delta.system),
    usage_idle: percent(delta.idle),
    usage_nice: percent(delta.nice - delta.guest_nice),
    usage_iowait: percent(delta.iowait),
    usage_irq: percent(delta.irq),
    usage_softirq: percent(delta.softirq),
    usage_steal: percent(delta.steal),
    usage_guest: percent(delta.guest),
    usage_guest_nice: percent(delta.guest_nice),
  };
}

export const cpuProbe: Probe<"cpu"> = {
  name: "cpu",
  open({ roots }) {
    let before = new Map<string, Times>();
    return sampleBy(async (nowUs) => {
      const now = parseCpuTimes(await readHostFile(roots, "proc", "stat"));
      if (now.size === 0) failParse("/proc/stat");
      const points = [...now].flatMap(([cpu, times]) => {
        const earlier = before.get(cpu);
        const fields = earlier === undefined ? undefined : cpuUsage(earlier, times);
        return fields === undefined ? [] : [{ measurement: "cpu", tags: { cpu }, timeUs: nowUs, fields }];
      });
      before = now;
      return points;
    });
  },
};

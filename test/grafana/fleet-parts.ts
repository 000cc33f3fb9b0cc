import { type Kpi, kpis } from "@fleetmark/shared/model/kpis";

/** Who is who in the simulated fleet: names, hardware, and which host plays which part in what goes wrong. */

export interface FleetFacts {
  readonly hosts: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two samples of telemetry. */
  readonly tickMs: number;
  /** Between two runs of a host. */
  readonly runMs: number;
}

/** A rule that must fire, and for which labels. */
export interface Breach {
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
}

export const hardwareClasses = [
  { name: "amd-epyc_16c_64g", speed: 1, gpu: false },
  { name: "amd-epyc_32c_128g", speed: 0.85, gpu: false },
  { name: "intel-xeon_16c_64g", speed: 1.2, gpu: false },
  { name: "amd-epyc_32c_256g_a100", speed: 0.8, gpu: true },
] as const;

/** Numbers that look random and are the same each time: mulberry32. */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function nameHost(index: number): string {
  return `node-${String(index + 1).padStart(2, "0")}`;
}

export const collectorNames = ["collector-a", "collector-b", "collector-c"] as const;

/** Which host plays which part. The first twelve breach a KPI each; those from 33 on behave in every way. */
export const parts = {
  silent: 12,
  clockOff: 13,
  drops: 14,
  /**
   * Dropped samples days ago: its counter stands still, and must not alert, not even after minutes in which nothing
   * came from it.
   */
  droppedLongAgo: 15,
  refused: 16,
  spoolFilling: 17,
  spoolFull: 18,
  spoolUnreadable: 19,
  diskFilling: 20,
  diskFull: 21,
  /** Was past every alert threshold in the middle of the time, and has recovered. */
  recovered: 22,
  /** One of its runtimes is slow, the best is not: no alert. */
  slowRuntime: 23,
  /** Its agent began anew near the end, and its counters with it. */
  restarted: 24,
  /** Its kernel changed half-way. */
  upgraded: 25,
  certificateEnds: 26,
  /** At work day and night, and not measured for ten days. */
  overdue: 25,
  /** Their second card: lost, not told of, told of slowly, with broken memory, hot, on half its lanes. */
  gpuLost: 27,
  gpuToolFails: 28,
  gpuToolSlow: 29,
  gpuMemory: 30,
  gpuHot: 31,
  gpuNarrow: 32,
} as const;

/** The fewest hosts that hold all parts. */
export const leastHosts = 34;

/** Breaches begin so long before the end, except those that need less. */
export const breachMs = 30 * 60_000;

/** The KPI that a host breaches, if it plays such a part. */
export function kpiBreach(host: number): { kpi: Kpi; severity: "warning" | "critical" } | undefined {
  const kpi = kpis[Math.floor(host / 2)];
  return host < kpis.length * 2 ? { kpi, severity: host % 2 === 0 ? "warning" : "critical" } : undefined;
}

/** A value between target and alert threshold, or past both, in the KPI's unit. */
export function breachingValue(kpi: Kpi, severity: "warning" | "critical"): number {
  if (severity === "warning") return kpi.target + (kpi.alert - kpi.target) * 0.4;
  return kpi.better === "lower" ? kpi.alert * 1.5 : kpi.alert / 1.5;
}

/** Every breach that is injected, by the rule that it must fire. */
export function listBreaches(): Breach[] {
  // What is past the alert threshold is past the target too.
  const both = ["warning", "critical"] as const;
  const ofKpis = Array.from({ length: kpis.length * 2 }, (_, host): Breach[] => {
    const { kpi, severity } = kpiBreach(host) as NonNullable<ReturnType<typeof kpiBreach>>;
    return both.slice(0, both.indexOf(severity) + 1).map((each) => ({
      rule: `fm-${kpi.title.toLowerCase().replaceAll(" ", "-")}-${each}`,
      labels: { host: nameHost(host), benchmark: kpi.benchmark },
    }));
  }).flat();
  const on = (part: number, more: Record<string, string> = {}) => ({ host: nameHost(part), ...more });
  return [
    ...ofKpis,
    { rule: "fm-agent-down", labels: on(parts.silent) },
    { rule: "fm-clock-offset", labels: on(parts.clockOff) },
    { rule: "fm-samples-dropped", labels: on(parts.drops, { reason: "SPOOL_FULL" }) },
    { rule: "fm-samples-refused", labels: on(parts.refused, { reason: "TIME_AHEAD" }) },
    { rule: "fm-spool-filling-warning", labels: on(parts.spoolFilling) },
    { rule: "fm-spool-filling-warning", labels: on(parts.spoolFull) },
    { rule: "fm-spool-filling-critical", labels: on(parts.spoolFull) },
    { rule: "fm-spool-unreadable", labels: on(parts.spoolUnreadable, { reason: "SPOOL_CORRUPT" }) },
    { rule: "fm-disk-full-warning", labels: on(parts.diskFilling, { path: "/data" }) },
    { rule: "fm-disk-full-warning", labels: on(parts.diskFull, { path: "/data" }) },
    { rule: "fm-disk-full-critical", labels: on(parts.diskFull, { path: "/data" }) },
    { rule: "fm-gpu-lost", labels: on(parts.gpuLost, { index: "1" }) },
    { rule: "fm-gpu-tool-failing", labels: on(parts.gpuToolFails) },
    { rule: "fm-gpu-tool-slow", labels: on(parts.gpuToolSlow) },
    { rule: "fm-gpu-memory-errors", labels: on(parts.gpuMemory, { index: "1" }) },
    { rule: "fm-gpu-memory-repair-warning", labels: on(parts.gpuMemory, { index: "1" }) },
    { rule: "fm-gpu-memory-repair-critical", labels: on(parts.gpuMemory, { index: "1" }) },
    { rule: "fm-gpu-slowed", labels: on(parts.gpuHot, { index: "1" }) },
    { rule: "fm-gpu-pcie-narrow", labels: on(parts.gpuNarrow, { index: "1" }) },
    { rule: "fm-quarantine-growing", labels: { host: "collector-b" } },
    { rule: "fm-clock-disputed", labels: { host: "collector-b" } },
    { rule: "fm-collector-certificate-warning", labels: { host: "collector-b" } },
    { rule: "fm-collector-certificate-critical", labels: { host: "collector-b" } },
    { rule: "fm-schedule-overdue", labels: on(parts.overdue) },
    { rule: "fm-agent-certificate-warning", labels: on(parts.certificateEnds) },
    { rule: "fm-agent-certificate-critical", labels: on(parts.certificateEnds) },
    { rule: "fm-store-damaged", labels: { host: "collector-b" } },
    { rule: "fm-host-name-taken", labels: { host: "collector-b" } },
    { rule: "fm-retention-held", labels: { host: "collector-b" } },
    { rule: "fm-store-failing", labels: { host: "collector-b" } },
    { rule: "fm-collector-down", labels: { host: "collector-c" } },
  ];
}

export interface Host {
  readonly index: number;
  readonly name: string;
  readonly hardware: (typeof hardwareClasses)[number];
  readonly chance: () => number;
}

/**
 * Whether a source is silent at a time. One agent and one collector are before the end; another of each was away for
 * some minutes and has come back, with a quarantine and a counter that are as they were before: no alert.
 */
export function isSilent(name: string, nowMs: number, facts: FleetFacts): boolean {
  const beforeEndMs = facts.toMs - nowMs;
  if (name === "collector-a" || name === nameHost(parts.droppedLongAgo))
    return beforeEndMs > 35 * 60_000 && beforeEndMs < 45 * 60_000;
  return (name === nameHost(parts.silent) || name === "collector-c") && beforeEndMs < breachMs;
}

/** A moment at which nothing is wrong with anybody. */
export function findQuietMoment({ fromMs, toMs }: FleetFacts): number {
  return fromMs + (toMs - fromMs) * 0.3;
}

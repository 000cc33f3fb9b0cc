import type { AlertKey } from "@fleetmark/shared/alerting/catalogue";

/** What of telemetry an alert is evaluated by. */
export interface TelemetryRule {
  readonly key: AlertKey;
  readonly measurement: "agent" | "collector" | "disk" | "nvidia_smi" | "gpu_tool_state";
  readonly field: string;
  /** The field that it is a share of, in percent. */
  readonly shareOf?: string;
  /** Tags that tell one thing from another, beside the host. */
  readonly by?: "reason" | "path" | "index";
  /** Tags that the series must carry. */
  readonly of?: Readonly<Record<string, string>>;
  /** What is read of the last minutes, or how much a counter has grown. */
  readonly read: "last" | "p50" | "min" | "max" | "mean" | "growth";
  /** How far back is read, or for how long growth counts, seconds. */
  readonly withinS: number;
  /** On which side of the catalogue's threshold it is bad; `outside`: its size is over it. */
  readonly bad: "over" | "under" | "outside";
}

const minuteS = 60;
const lately = { read: "last", withinS: 10 * minuteS, bad: "over" } as const;
const card = { measurement: "nvidia_smi", by: "index", read: "last", withinS: 15 * minuteS, bad: "over" } as const;
const grown = { read: "growth", bad: "over" } as const;

/** What agents and collectors say of themselves, and what is told of it. */
export const telemetryRules: readonly TelemetryRule[] = [
  { key: "clock_offset", measurement: "agent", field: "clock_offset_ms", read: "p50", withinS: 10 * minuteS, bad: "outside" },
  { key: "schedule_overdue", measurement: "agent", field: "schedule_lateness", ...lately },
  { key: "spool_filling", measurement: "agent", field: "spool_bytes", shareOf: "spool_limit_bytes", ...lately },
  { key: "spool_nearly_full", measurement: "agent", field: "spool_bytes", shareOf: "spool_limit_bytes", ...lately },
  { key: "samples_dropped", measurement: "agent", field: "samples_dropped", by: "reason", ...grown, withinS: 30 * minuteS },
  { key: "samples_refused", measurement: "agent", field: "samples_refused", by: "reason", ...grown, withinS: 30 * minuteS },
  { key: "spool_unreadable", measurement: "agent", field: "batches_quarantined", by: "reason", ...grown, withinS: 60 * minuteS },
  { key: "agent_certificate_ending", measurement: "agent", field: "certificate_days", ...lately, bad: "under" },
  { key: "agent_certificate_at_end", measurement: "agent", field: "certificate_days", ...lately, bad: "under" },
  { key: "disk_filling", measurement: "disk", field: "used_percent", by: "path", ...lately, read: "min" },
  { key: "disk_nearly_full", measurement: "disk", field: "used_percent", by: "path", ...lately, read: "min" },
  { key: "quarantine_growing", measurement: "collector", field: "quarantine_bytes", ...grown, withinS: 60 * minuteS },
  { key: "store_failing", measurement: "collector", field: "store_failures", ...grown, withinS: 10 * minuteS },
  { key: "store_damaged", measurement: "collector", field: "store_damaged_rows", ...grown, withinS: 1440 * minuteS },
  { key: "clock_disputed", measurement: "collector", field: "clock_disputed", ...lately },
  { key: "retention_held", measurement: "collector", field: "retention_held", ...lately },
  { key: "host_name_taken", measurement: "collector", field: "host_name_conflicts", ...grown, withinS: 10 * minuteS },
  { key: "collector_certificate_ending", measurement: "collector", field: "certificate_days", ...lately, bad: "under" },
  { key: "gpu_lost", field: "lost", ...card },
  { key: "gpu_memory_waits", field: "row_remap_pending", ...card },
  { key: "gpu_memory_beyond_repair", field: "row_remap_failure", ...card },
  { key: "gpu_memory_errors", field: "ecc_volatile_uncorrectable", ...card, ...grown, withinS: 30 * minuteS },
  {
    key: "gpu_tool_failing",
    measurement: "agent",
    field: "success",
    of: { probe: "nvidia_smi" },
    ...lately,
    read: "max",
    bad: "under",
  },
  { key: "gpu_tool_slow", measurement: "gpu_tool_state", field: "seconds", ...lately, read: "mean", withinS: 30 * minuteS },
  { key: "collector_certificate_at_end", measurement: "collector", field: "certificate_days", ...lately, bad: "under" },
];

import type { Point } from "@fleetmark/shared/model/series";
import { simulateCards } from "./fleet-gpus.js";
import { breachMs, collectorNames, type FleetFacts, type Host, parts } from "./fleet-parts.js";

/** What the simulated hosts, agents and collectors say of themselves, field by field. */

const spoolLimit = 64 * 2 ** 20;

/** What the agent says of itself. Its counters grow with the time since it began. */
function simulateAgent(host: Host, nowMs: number, facts: FleetFacts, busy: boolean): Omit<Point, "timeUs">[] {
  const ending = nowMs > facts.toMs - breachMs;
  const beganMs = host.index === parts.restarted && nowMs > facts.toMs - 20 * 60_000 ? facts.toMs - 20 * 60_000 : facts.fromMs;
  const seconds = (nowMs - beganMs) / 1000;
  const spool = host.index === parts.spoolFilling && ending ? 0.6 : host.index === parts.spoolFull && ending ? 0.9 : 0.002;
  const offset = host.index === parts.clockOff && ending ? 2500 : host.chance() * 4 - 2;
  const self: Omit<Point, "timeUs"> = {
    measurement: "agent",
    tags: {},
    fields: {
      samples_recorded: seconds * 12,
      samples_sent: seconds * 12,
      samples_resent: 0,
      samples_acked: seconds * 12,
      reconnects: Math.floor(seconds / 86_400),
      protocol_violations: 0,
      rss_bytes: 7e7 + host.chance() * 4e6,
      cpu_percent: 0.3 + host.chance() * 0.2,
      spool_batches: busy ? 3 : 1,
      spool_bytes: spoolLimit * spool * (0.98 + host.chance() * 0.04),
      spool_oldest_age_s: 1 + host.chance() + (spool > 0.1 ? 900 : 0),
      spool_limit_bytes: spoolLimit,
      clock_offset_ms: offset,
      certificate_days: host.index === parts.certificateEnds && nowMs > facts.toMs - breachMs ? 2 : 200,
      schedule_lateness: host.index === parts.overdue && nowMs > facts.toMs - breachMs ? 9.8 : host.chance(),
      clock_rtt_ms: 0.8 + host.chance(),
      clock_steps: 0,
    },
  };
  const count = (field: string, reason: string, value: number): Omit<Point, "timeUs"> => ({
    measurement: "agent",
    tags: { reason },
    fields: { [field]: value },
  });
  // As the agent does: a counter begins with 0, one sample before its first event.
  const sinceLoss = nowMs - (facts.toMs - 12 * 60_000);
  const recently = sinceLoss > -facts.tickMs;
  const lost = (n: number): number => (sinceLoss > 0 ? n : 0);
  return [
    self,
    { measurement: "agent", tags: { probe: "cpu" }, fields: { duration_s: 0.001, success: 1 } },
    ...(host.index === parts.drops && recently ? [count("samples_dropped", "SPOOL_FULL", lost(4000))] : []),
    ...(host.index === parts.droppedLongAgo ? [count("samples_dropped", "SPOOL_FULL", 900)] : []),
    ...(host.index === parts.refused && recently ? [count("samples_refused", "TIME_AHEAD", lost(120))] : []),
    ...(host.index === parts.spoolUnreadable && recently ? [count("batches_quarantined", "SPOOL_CORRUPT", lost(2))] : []),
  ];
}

export function simulateTelemetry(host: Host, nowMs: number, facts: FleetFacts): Omit<Point, "timeUs">[] {
  const { chance, index } = host;
  const sinceRun = (nowMs - facts.fromMs - (index / facts.hosts) * facts.runMs) % facts.runMs;
  const busy = sinceRun >= 0 && sinceRun < 45_000;
  const used = busy ? 35 + chance() * 10 : 3 + chance() * 4;
  const seconds = (nowMs - facts.fromMs) / 1000;
  const ending = nowMs > facts.toMs - breachMs;
  const data =
    index === parts.diskFilling && ending ? 90 : index === parts.diskFull && ending ? 97 : 40 + (index % 30) + seconds / 1e5;
  const total = 64 * 2 ** 30;
  const disk = (path: string, percent: number): Omit<Point, "timeUs"> => ({
    measurement: "disk",
    tags: { path, device: "nvme0n1p1", fstype: "ext4", mode: "rw" },
    fields: { total: 5e11, free: 5e11 * (1 - percent / 100), used: 5e9 * percent, used_percent: percent },
  });
  return [
    {
      measurement: "cpu",
      tags: { cpu: "cpu-total" },
      fields: {
        usage_user: used * 0.8,
        usage_system: used * 0.15,
        usage_nice: 0,
        usage_iowait: used * 0.03,
        usage_irq: 0,
        usage_softirq: used * 0.01,
        usage_steal: used * 0.01,
        usage_idle: 100 - used,
      },
    },
    {
      measurement: "mem",
      tags: {},
      fields: {
        total,
        available: total * 0.7,
        used: total * 0.25,
        used_percent: 22 + (busy ? 6 : 0) + chance(),
        swap_total: 2 ** 32,
        swap_free: 2 ** 32 - chance() * 1e6,
      },
    },
    disk("/", 30 + (index % 20)),
    disk("/data", data),
    {
      measurement: "diskio",
      tags: { name: "nvme0n1" },
      fields: { read_bytes: seconds * 2e5, write_bytes: seconds * 6e5, io_time: seconds * 12 },
    },
    {
      measurement: "net",
      tags: { interface: "eth0" },
      fields: {
        bytes_recv: seconds * 4e4,
        bytes_sent: seconds * 9e4,
        err_in: 0,
        err_out: 0,
        drop_in: Math.floor(seconds / 3600),
        drop_out: 0,
      },
    },
    {
      measurement: "system",
      tags: {},
      fields: {
        load1: busy ? 1.5 + chance() : 0.1 + chance() * 0.2,
        load5: 0.4,
        load15: 0.3,
        n_cpus: 16,
        uptime: 864_000 + seconds,
      },
    },
    ...["cpu", "memory", "io"].map((resource) => ({
      measurement: "pressure",
      tags: { resource, type: "some" },
      fields: { avg10: busy ? chance() * 3 : 0, avg60: 0, avg300: 0, total: 0 },
    })),
    ...simulateCards(host, nowMs, facts, busy),
    ...simulateAgent(host, nowMs, facts, busy),
  ];
}

export function simulateCollector(name: string, nowMs: number, facts: FleetFacts, chance: () => number): Omit<Point, "timeUs">[] {
  const seconds = (nowMs - facts.fromMs) / 1000;
  const troubled = name === "collector-b";
  const sinceTrouble = Math.max(0, nowMs - (facts.toMs - 15 * 60_000)) / 1000;
  const share = facts.hosts / collectorNames.length;
  const fields = {
    samples_committed: seconds * 12 * share,
    batches_committed: seconds * share,
    batches_repeated: Math.floor(seconds / 7200),
    queue_batches: 1 + Math.floor(chance() * 3),
    queue_bytes: 4000 + chance() * 8000,
    agents_attached: Math.round(share),
    store_failures: troubled ? Math.floor(sinceTrouble / 30) : 0,
    commit_p50_ms: 8 + chance() * 4,
    commit_p99_ms: 25 + chance() * 40,
    end_to_end_p50_s: 0.9 + chance() * 0.3,
    end_to_end_p99_s: 1.8 + chance(),
    quarantine_bytes: 2048 + (troubled ? Math.floor(sinceTrouble) * 100 : 0),
    certificate_days: troubled && sinceTrouble > 0 ? 2 : 200,
    store_damaged_rows: troubled && sinceTrouble > 0 ? 38_912 : 0,
    handshakes_failed: Math.floor(seconds / 20_000),
    hosts_throttled: 0,
    host_name_conflicts: troubled ? Math.floor(sinceTrouble / 30) : 0,
    clock_disputed: troubled && sinceTrouble > 0 ? 1 : 0,
    clock_offset_s: troubled && sinceTrouble > 0 ? 7200 : chance() * 0.01,
    retention_held: troubled && sinceTrouble > 0 ? 1 : 0,
    batches_deferred: troubled ? Math.floor(sinceTrouble / 10) : 0,
    rss_bytes: 1.6e8 + chance() * 2e7,
    cpu_percent: 6 + chance() * 3,
    nats_pending: Math.floor(chance() * 20),
    nats_ack_pending: Math.floor(chance() * 50),
    nats_redelivered: Math.floor(seconds / 43_200),
  };
  return [
    { measurement: "collector", tags: {}, fields },
    { measurement: "collector", tags: { reason: "TIME_AHEAD" }, fields: { samples_refused: 0, batches_rejected: 0 } },
  ];
}

import type { Point } from "@fleetmark/shared/model/series";
import type { Delivery } from "./delivery/delivery.js";
import type { ClockOffsetMeter } from "./links/clock-offset.js";

/** Creates a reader of this process's use of the CPU, in percent of one core since the reading before. */
function createCpuMeter(): () => number {
  let cpuBefore = process.cpuUsage();
  let before = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const now = performance.now();
    const elapsedUs = (now - before) * 1000;
    cpuBefore = process.cpuUsage();
    before = now;
    return elapsedUs > 0 ? (100 * (user + system)) / elapsedUs : 0;
  };
}

function countReason(field: string, reason: string, count: number, timeUs: number): Point {
  return { measurement: "agent", tags: { reason }, timeUs, fields: { [field]: count } };
}

/**
 * Tells the counts of a field by reason. What counts by reason is not there before its first event. It begins with a
 * 0 at the sample before, so that who reads growth sees that event too; what an earlier process has counted is there
 * from the first sample, and has not grown.
 * @param told the reasons that were told before, with their field; those of this sample are added
 * @param beforeUs the time of the sample before; undefined at the first
 */
function tellByReason(
  field: string,
  reasons: ReadonlyMap<string, number>,
  told: Set<string>,
  timeUs: number,
  beforeUs: number | undefined,
): Point[] {
  return [...reasons].flatMap(([reason, count]) => {
    const key = `${field} ${reason}`;
    const begin = told.has(key) || beforeUs === undefined ? [] : [countReason(field, reason, 0, beforeUs)];
    told.add(key);
    return [...begin, countReason(field, reason, count, timeUs)];
  });
}

/** Nothing while no collector was asked, or none has answered for long. */
function readClockOffset(clockOffset: ClockOffsetMeter): Record<string, number> {
  const found = clockOffset.read();
  return found === undefined ? {} : { clock_offset_ms: found.offsetMs, clock_rtt_ms: found.rttMs };
}

/** Nothing where the agent shows no certificate. */
function readCertificateLife(days: number | undefined): Record<string, number> {
  return days === undefined ? {} : { certificate_days: days };
}

/** Nothing where no suite runs by a schedule. */
function describeLateness(lateness: number | undefined): Record<string, number> {
  return lateness === undefined ? {} : { schedule_lateness: lateness };
}

/** Seconds, by the host's clock, which may have been set since. */
function readOldestAge({ oldestPutMs }: Delivery["spool"]): number {
  return oldestPutMs === undefined ? 0 : Math.max(0, Date.now() - oldestPutMs) / 1000;
}

/**
 * Creates the sampler of the agent's own state: counts since it began, bytes, and the percent of one core it used
 * between samples.
 */
export function createSelfTelemetry(
  { counts, spool, clock }: Pick<Delivery, "counts" | "spool" | "clock">,
  clockOffset: ClockOffsetMeter,
  readCertificateDays: () => number | undefined = () => undefined,
  readLateness: () => number | undefined = () => undefined,
): (nowUs: number) => Point[] {
  const told = new Set<string>();
  const readCpu = createCpuMeter();
  let beforeUs: number | undefined;
  return (timeUs) => {
    const fields = {
      samples_recorded: counts.recorded,
      samples_sent: counts.sent,
      samples_resent: counts.resent,
      samples_acked: counts.acked,
      spool_batches: spool.batches,
      spool_bytes: spool.bytes,
      spool_limit_bytes: spool.limitBytes,
      spool_oldest_age_s: readOldestAge(spool),
      clock_steps: clock.steps,
      ...readClockOffset(clockOffset),
      ...readCertificateLife(readCertificateDays()),
      ...describeLateness(readLateness()),
      reconnects: counts.reconnects,
      protocol_violations: counts.violations,
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: readCpu(),
    };
    const quarantined = new Map(counts.quarantined > 0 ? [["SPOOL_CORRUPT", counts.quarantined]] : []);
    const points = [
      { measurement: "agent", tags: {}, timeUs, fields },
      ...tellByReason("samples_dropped", counts.dropped, told, timeUs, beforeUs),
      ...tellByReason("samples_refused", counts.refused, told, timeUs, beforeUs),
      ...tellByReason("batches_quarantined", quarantined, told, timeUs, beforeUs),
    ];
    beforeUs = timeUs;
    return points;
  };
}

import type { Point } from "@fleetmark/shared/model/series";
import type { Delivery } from "./delivery/delivery.js";
import type { ClockOffsetMeter } from "./links/clock-offset.js";

/** Creates the sampler of the agent's own state: counts since it began, bytes, and the percent of one core it used between samples. */
export function createSelfTelemetry(
  { counts, spool, clock }: Pick<Delivery, "counts" | "spool" | "clock">,
  clockOffset: ClockOffsetMeter,
): (nowUs: number) => Point[] {
  // What counts by reason is not there before its first event. It begins with a 0 at the sample before, so that who reads growth sees that
  // event too; what an earlier process has counted is there from the first sample, and has not grown.
  const told = new Set<string>();
  let beforeUs: number | undefined;
  let cpuBefore = process.cpuUsage();
  let before = performance.now();

  /** Percent of a core since the call before. */
  const readCpu = (): number => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const now = performance.now();
    const elapsedUs = (now - before) * 1000;
    cpuBefore = process.cpuUsage();
    before = now;
    return elapsedUs > 0 ? (100 * (user + system)) / elapsedUs : 0;
  };

  /** Nothing while no collector was asked, or none has answered for long. */
  const readClockOffset = (): Record<string, number> => {
    const found = clockOffset.read();
    return found === undefined ? {} : { clock_offset_ms: found.offsetMs, clock_rtt_ms: found.rttMs };
  };

  /** By the host's clock, which may have been set since. */
  const readOldestAge = (): number => (spool.oldestPutMs === undefined ? 0 : Math.max(0, Date.now() - spool.oldestPutMs) / 1000);

  return (timeUs) => {
    const fields = {
      samples_recorded: counts.recorded,
      samples_sent: counts.sent,
      samples_resent: counts.resent,
      samples_acked: counts.acked,
      spool_batches: spool.batches,
      spool_bytes: spool.bytes,
      spool_limit_bytes: spool.limitBytes,
      spool_oldest_age_s: readOldestAge(),
      clock_steps: clock.steps,
      ...readClockOffset(),
      reconnects: counts.reconnects,
      protocol_violations: counts.violations,
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: readCpu(),
    };
    const countReason = (field: string, reason: string, count: number, atUs: number): Point => {
      return { measurement: "agent", tags: { reason }, timeUs: atUs, fields: { [field]: count } };
    };
    const byReason = (field: string, reasons: ReadonlyMap<string, number>): Point[] =>
      [...reasons].flatMap(([reason, count]) => {
        const earlierUs = told.has(`${field} ${reason}`) ? undefined : beforeUs;
        told.add(`${field} ${reason}`);
        const begin = earlierUs === undefined ? [] : [countReason(field, reason, 0, earlierUs)];
        return [...begin, countReason(field, reason, count, timeUs)];
      });
    const points = [
      { measurement: "agent", tags: {}, timeUs, fields },
      ...byReason("samples_dropped", counts.dropped),
      ...byReason("samples_refused", counts.refused),
      ...byReason("batches_quarantined", new Map(counts.quarantined > 0 ? [["SPOOL_CORRUPT", counts.quarantined]] : [])),
    ];
    beforeUs = timeUs;
    return points;
  };
}

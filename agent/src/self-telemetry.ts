import type { Point } from "@fleetmark/shared/series";
import type { ClockOffsetMeter } from "./delivery/clock-offset.js";
import type { DeliveryCounts } from "./delivery/counts.js";
import type { Outbox } from "./delivery/outbox.js";

/** Creates the sampler of the agent's own state: counts since it began, bytes, and the percent of one core it used between samples. */
export function createSelfTelemetry(
  counts: DeliveryCounts,
  outbox: Outbox,
  clockOffset: ClockOffsetMeter,
): (nowUs: number) => Point[] {
  let cpuBefore = process.cpuUsage();
  let before: number | undefined;

  /** Percent of a core since the call before; 0 at the first. */
  const readCpu = (nowUs: number): number => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const elapsed = before === undefined ? 0 : nowUs - before;
    cpuBefore = process.cpuUsage();
    before = nowUs;
    return elapsed > 0 ? (100 * (user + system)) / elapsed : 0;
  };

  /** Nothing while no collector was asked, or none has answered for long. */
  const readClockOffset = (): Record<string, number> => {
    const found = clockOffset.read();
    return found === undefined ? {} : { clock_offset_ms: found.offsetMs, clock_rtt_ms: found.rttMs };
  };

  return (timeUs) => {
    const fields = {
      samples_recorded: counts.recorded,
      samples_sent: counts.sent,
      samples_resent: counts.resent,
      samples_acked: counts.acked,
      outbox_batches: outbox.batches,
      outbox_bytes: outbox.bytes,
      ...readClockOffset(),
      reconnects: counts.reconnects,
      protocol_violations: counts.violations,
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: readCpu(timeUs),
    };
    const byReason = (field: string, reasons: ReadonlyMap<string, number>): Point[] =>
      [...reasons].map(([reason, samples]) => ({ measurement: "agent", tags: { reason }, timeUs, fields: { [field]: samples } }));
    return [
      { measurement: "agent", tags: {}, timeUs, fields },
      ...byReason("samples_dropped", counts.dropped),
      ...byReason("samples_refused", counts.refused),
    ];
  };
}

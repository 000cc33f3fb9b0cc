import type { HostKpi, KpiStatus } from "../model/kpis.js";

/**
 * Hosts are measured daily, two hours late at the worst: what is older says how fast a host was, not how fast it is.
 */
export const defaultStaleAfterS = 26 * 3600;

/** A KPI as it stands at some moment: one that was measured too long ago is stale, whatever it was then. */
export interface AgedKpi extends Omit<HostKpi, "status"> {
  readonly status: KpiStatus | "stale";
  /** What it was when it was measured. */
  readonly measured_status: KpiStatus;
  /** Seconds since it was measured; null where it was not. */
  readonly age_s: number | null;
}

/** Whether what was measured at this time is too old to speak for now. A time that is ahead of the clock is new. */
export function isStale(timeUs: number, nowUs: number, staleAfterS: number): boolean {
  return nowUs - timeUs > staleAfterS * 1e6;
}

/** Tells how KPIs stand now. */
export function ageKpis(kpis: readonly HostKpi[], nowUs: number, staleAfterS: number): AgedKpi[] {
  return kpis.map((reading) => {
    const { status, time_us } = reading;
    if (time_us === null) return { ...reading, measured_status: status, age_s: null };
    const shown = isStale(time_us, nowUs, staleAfterS) ? "stale" : status;
    return { ...reading, status: shown, measured_status: status, age_s: Math.max(0, (nowUs - time_us) / 1e6) };
  });
}

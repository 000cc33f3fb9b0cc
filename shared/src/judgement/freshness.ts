import { z } from "zod";
import { type HostKpi, hostKpiSchema, kpiStatuses } from "../model/kpis.js";

/**
 * How long a KPI of a host without a schedule speaks for it: for a day, and two hours. One that is measured by a
 * schedule does for twice the schedule's time.
 */
export const defaultStaleAfterS = 26 * 3600;

/** A KPI as it stands at some moment: one that was measured too long ago is stale, whatever it was then. */
export const agedKpiSchema = hostKpiSchema.extend({
  status: z.enum([...kpiStatuses, "stale"]),
  measured_status: z.enum(kpiStatuses).describe("what it was when it was measured"),
  age_s: z.number().nullable().describe("seconds since it was measured; null where it was not"),
});

export type AgedKpi = z.infer<typeof agedKpiSchema>;

/** Whether what was measured at this time is too old to speak for now. A time that is ahead of the clock is new. */
export function isStale(timeUs: number, nowUs: number, staleAfterS: number): boolean {
  return nowUs - timeUs > staleAfterS * 1e6;
}

/** KPIs as they were measured, whatever their age. */
export function youngKpis(kpis: readonly AgedKpi[]): HostKpi[] {
  return kpis.map(({ measured_status: status, age_s: _, ...reading }) => ({ ...reading, status }));
}

/**
 * Tells how KPIs stand now.
 * @param staleAfterS for all; default: what each has by its schedule
 */
export function ageKpis(kpis: readonly HostKpi[], nowUs: number, staleAfterS?: number): AgedKpi[] {
  return kpis.map((reading) => {
    const { status, time_us, stale_after_s } = reading;
    if (time_us === null) return { ...reading, measured_status: status, age_s: null };
    const limit = staleAfterS ?? stale_after_s ?? defaultStaleAfterS;
    const shown = isStale(time_us, nowUs, limit) ? "stale" : status;
    return { ...reading, status: shown, measured_status: status, age_s: Math.max(0, (nowUs - time_us) / 1e6) };
  });
}

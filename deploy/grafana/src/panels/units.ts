import type { Kpi } from "@fleetmark/shared/model/kpis";

/**
 * Grafana's unit ids. Times are in seconds throughout: of its units of time, that one alone is scaled down as well as
 * up (0.000002 s is shown as 2 µs, 0.002 ms as 0.00 ms). What is stored in milliseconds is divided in the query.
 */
export const units = {
  count: "short",
  /** Small whole numbers, written out. */
  whole: "none",
  percent: "percent",
  seconds: "s",
  bytes: "bytes",
  megabytes: "decmbytes",
  bytesPerSecond: "Bps",
  perSecond: "ops",
  packetsPerSecond: "pps",
  age: "dateTimeFromNow",
} as const;

interface KpiUnit {
  readonly unit: string;
  readonly decimals: number;
  /** What the KPI's own unit is divided by to give this one. */
  readonly divisor: number;
  /** A logarithmic axis where values lie orders of magnitude from their thresholds and are never 0 or less. */
  readonly logarithmic: boolean;
}

const kpiUnits: Readonly<Record<string, KpiUnit>> = {
  ms: { unit: units.seconds, decimals: 2, divisor: 1000, logarithmic: true },
  s: { unit: units.seconds, decimals: 2, divisor: 1, logarithmic: true },
  "%": { unit: units.percent, decimals: 1, divisor: 1, logarithmic: false },
  MB: { unit: units.megabytes, decimals: 1, divisor: 1, logarithmic: false },
  "transitions/s": { unit: "suffix:transitions/s", decimals: 0, divisor: 1, logarithmic: true },
};

/** The unit in which dashboards show a KPI. */
export function kpiUnit(kpi: Kpi): KpiUnit {
  const unit = kpiUnits[kpi.unit];
  if (unit === undefined) throw new Error(`dashboards know no unit ${kpi.unit}`);
  return unit;
}

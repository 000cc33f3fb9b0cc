import type { Kpi } from "@fleetmark/shared/model/kpis";

/** Grafana's unit ids. Those with SI prefixes scale themselves: 0.002 ms is shown as 2 µs. */
export const units = {
  count: "short",
  /** Small whole numbers, written out. */
  whole: "none",
  percent: "percent",
  seconds: "s",
  milliseconds: "ms",
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
  /** A logarithmic axis where values lie orders of magnitude from their thresholds and are never 0 or less. */
  readonly logarithmic: boolean;
}

const kpiUnits: Readonly<Record<Kpi["unit"], KpiUnit>> = {
  ms: { unit: units.milliseconds, decimals: 2, logarithmic: true },
  s: { unit: units.seconds, decimals: 2, logarithmic: true },
  "%": { unit: units.percent, decimals: 1, logarithmic: false },
  MB: { unit: units.megabytes, decimals: 1, logarithmic: false },
  "steps/s": { unit: "suffix: steps/s", decimals: 0, logarithmic: true },
};

export function kpiUnit(kpi: Kpi): KpiUnit {
  return kpiUnits[kpi.unit];
}

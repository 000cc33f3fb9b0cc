import { formatNumber, formatTable, left, right } from "@fleetmark/bench";
import { type HostKpi, type KpiStatus, kpis } from "@fleetmark/shared/model/kpis";
import type { Colors } from "./terminal.js";

const words: Readonly<Record<KpiStatus, string>> = { ok: "ok", missed: "target missed", alert: "ALERT", missing: "not measured" };

function paint(status: KpiStatus, text: string, colour: Colors): string {
  if (status === "ok") return colour.green(text);
  if (status === "missed") return colour.yellow(text);
  return status === "alert" ? colour.bold(colour.red(text)) : colour.dim(text);
}

/**
 * Lays out the KPIs of a host: value, 95 % interval, target, alert threshold, status, and the benchmark that speaks for
 * it.
 */
export function formatKpiTable(readings: readonly HostKpi[], colour: Colors): string {
  const rows = readings.map((reading) => {
    const kpi = kpis.find((each) => each.id === reading.kpi);
    const [towardsTarget, towardsAlert] = kpi?.better === "higher" ? [">", "<"] : ["<", ">"];
    const interval =
      reading.low === null || reading.high === null ? "" : `${formatNumber(reading.low)} … ${formatNumber(reading.high)}`;
    return [
      kpi?.title ?? reading.kpi,
      reading.value === null ? "–" : `${formatNumber(reading.value)} ${reading.unit}`,
      interval,
      `${towardsTarget} ${formatNumber(reading.target)}`,
      `${towardsAlert} ${formatNumber(reading.alert)}`,
      paint(reading.status, words[reading.status], colour),
      colour.dim(reading.name ?? ""),
    ];
  });
  return formatTable(
    [left("KPI"), right("value"), right("95 % interval"), right("target"), right("alert"), left("status"), left("measured by")],
    rows,
    colour.dim,
  );
}

import type { Kpi } from "@fleetmark/shared/model/kpis";
import { type Threshold, ThresholdsConfigBuilder, ThresholdsMode } from "@grafana/grafana-foundation-sdk/dashboard";
import { kpiUnit } from "./units.js";

/** Colours by what they say, from Grafana's own palette, so that they follow its light and dark themes. */
export const colors = { good: "green", missed: "yellow", bad: "red", plain: "blue", muted: "text" } as const;

/** Steps of thresholds: each colour counts from its value upwards, the first from minus infinity. */
export function steps(first: string, ...more: readonly (readonly [value: number, color: string])[]): Threshold[] {
  return [{ value: null, color: first }, ...more.map(([value, color]) => ({ value, color }))];
}

export function thresholds(list: Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(list);
}

/** A KPI's own steps in the unit that is shown: its target and alert threshold, whichever way is better. */
export function kpiSteps(kpi: Kpi): Threshold[] {
  const { divisor } = kpiUnit(kpi);
  const [target, alert] = [kpi.target / divisor, kpi.alert / divisor];
  return kpi.better === "lower"
    ? steps(colors.good, [target, colors.missed], [alert, colors.bad])
    : steps(colors.bad, [alert, colors.missed], [target, colors.good]);
}

/** Steps of the severity that the collector gives each KPI value: 1 at the target, 2 at the alert threshold. */
export const severitySteps = steps(colors.good, [1, colors.missed], [2, colors.bad]);

/** Steps of a share in use, in percent. */
export const fillSteps = steps(colors.good, [80, colors.missed], [95, colors.bad]);

/** Steps of what should be none. */
export const noneSteps = steps(colors.good, [1, colors.bad]);

/** How late a schedule may be, in times between two of its starts: beyond it, KPIs say how fast a host was. */
export const staleLateness = 2;

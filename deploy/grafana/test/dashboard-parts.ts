import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";

/** Parts of dashboards and rules that tests look at. */

export function panelsOf(dashboard: Dashboard): Panel[] {
  return (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== "row");
}

/** Panels that show what the datasource answers. */
export function dataPanelsOf(dashboard: Dashboard): Panel[] {
  return panelsOf(dashboard).filter(({ type }) => type !== "alertlist" && type !== "text");
}

/** Every text below a value. */
export function* listTexts(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) yield* listTexts(each);
}

/** Every query that InfluxDB is asked for values. */
export function listSelects(value: unknown): string[] {
  return [...listTexts(value)].filter((text) => text.startsWith("SELECT"));
}

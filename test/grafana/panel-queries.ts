import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "#grafana/queries/datasource.js";
import type { InfluxQuery } from "#grafana/queries/target.js";
import { expandTimes, expandVariables, parseSpan, pickInterval, type Selection, type TimeRange } from "./evaluation/expand.js";

/** Width of a panel on a screen, in points that Grafana asks for. */
const screenPoints = 1200;

/** The least width of buckets: the datasource's timeInterval. */
const leastInterval = "10s";

/** A query of a dashboard, and where it stands. */
export interface PlacedQuery {
  readonly dashboard: Dashboard;
  /** `annotation Runs`, `variable host`, or a panel's title. */
  readonly place: string;
  readonly panel?: Panel;
  readonly query: InfluxQuery;
}

export function listPanels(dashboard: Dashboard): Panel[] {
  return (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== "row");
}

/** A variable's query is text, as all versions of Grafana read it. */
function readVariable(query: unknown): InfluxQuery {
  if (typeof query !== "string") throw new Error("a variable's query is no text: Grafana 11.0 can't read it");
  return {
    refId: "variable",
    datasource,
    query,
    rawQuery: true,
    resultFormat: "table",
    _implementsDataqueryVariant: () => {},
  };
}

/** Every query of a dashboard: of panels, annotations and variables. */
export function listQueries(dashboard: Dashboard): PlacedQuery[] {
  const ofPanels = listPanels(dashboard).flatMap((panel) =>
    (panel.targets ?? []).map((target) => ({ dashboard, place: panel.title ?? "", panel, query: target as InfluxQuery })),
  );
  const ofAnnotations = (dashboard.annotations.list ?? []).map((annotation) => ({
    dashboard,
    place: `annotation ${annotation.name}`,
    query: annotation.target as unknown as InfluxQuery,
  }));
  const ofVariables = (dashboard.templating.list ?? []).map((variable) => ({
    dashboard,
    place: `variable ${variable.name}`,
    query: readVariable(variable.query),
  }));
  return [...ofPanels, ...ofAnnotations, ...ofVariables];
}

/** The patterns that All stands for, by variable. */
export function listAllPatterns(dashboard: Dashboard): Record<string, string> {
  return Object.fromEntries((dashboard.templating.list ?? []).map(({ name, allValue }) => [name, allValue ?? ""]));
}

/** The range that a panel asks for when the dashboard shows another: its own, if it has one. */
export function rangeOf(panel: Panel | undefined, shown: TimeRange): TimeRange {
  return panel?.timeFrom === undefined ? shown : { fromMs: shown.toMs - parseSpan(panel.timeFrom), toMs: shown.toMs };
}

/** The query as InfluxDB sees it. */
export function expandQuery({ dashboard, panel, query }: PlacedQuery, selection: Selection, shown: TimeRange): string {
  const range = rangeOf(panel, shown);
  const interval = pickInterval(range, panel?.maxDataPoints ?? screenPoints, parseSpan(panel?.interval ?? leastInterval));
  return expandTimes(expandVariables(query.query, selection, listAllPatterns(dashboard)), range, interval);
}

/** Selects all in every variable of a dashboard. */
export function selectAll(dashboard: Dashboard): Selection {
  return Object.fromEntries((dashboard.templating.list ?? []).map(({ name }) => [name, "all"] as const));
}

/**
 * Selects what a dashboard opens with: what a variable says, or the first of its values.
 * @param first the first value of a variable, where that is what it opens with
 */
export function selectOpening(dashboard: Dashboard, first: Readonly<Record<string, string>>): Selection {
  return Object.fromEntries(
    (dashboard.templating.list ?? []).map(({ name, current }) => {
      const values = [current?.value ?? first[name] ?? []].flat();
      return [name, values.includes("$__all") ? ("all" as const) : values];
    }),
  );
}

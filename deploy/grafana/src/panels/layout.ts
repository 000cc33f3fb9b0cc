import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  type Dashboard,
  DashboardBuilder,
  type DashboardLink,
  type Panel,
  type RowPanel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { environmentAnnotation, runAnnotation } from "./annotations.js";
import { dashboardTag, dashboardUids } from "./dashboard-ids.js";
import { buildSharedVariable, nameVariable, type Opening, type VariableName } from "./variables.js";

/** Panels side by side, of one height. */
export interface Shelf {
  readonly height: number;
  /** Each with its width; a shelf is 24 wide. */
  readonly panels: readonly (readonly [width: number, panel: Builder<Panel>])[];
}

/** A titled group of shelves. */
export interface Section {
  readonly title: string;
  readonly shelves: readonly Shelf[];
}

export interface DashboardFacts {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly VariableName[];
  /** What is selected when the dashboard opens, where that is not All. */
  readonly opensWith?: Partial<Record<VariableName, Opening>>;
  /** Of the time that is shown at first, such as `now-24h`. */
  readonly from: string;
  readonly refresh: string;
  /** Whether runs are shaded from the start. Those of a whole fleet would shade all of the time. */
  readonly shadesRuns: boolean;
  /** Whether runs and changes of environments can be marked in its charts; so unless it says otherwise. */
  readonly annotates?: boolean;
  readonly sections: readonly Section[];
}

const gridWidth = 24;

/** From this width on there is room for a legend beside the chart. */
const roomyWidth = 12;

/** Puts the legend of a narrow chart below it. */
function moveLegend(panel: Panel): Panel {
  if (panel.type !== "timeseries") return panel;
  const { legend } = panel.options;
  return { ...panel, options: { ...panel.options, legend: { ...legend, placement: "bottom" } } };
}

/** The schema that Grafana 11.0 writes; later ones read it and raise it themselves. */
const schemaVersion = 39;

/** Lays sections below each other and shelves below each other. Panels are numbered in that order. */
function placeSections(sections: readonly Section[]): (Panel | RowPanel)[] {
  const placed: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, shelves } of sections) {
    placed.push({
      type: "row",
      id: placed.length + 1,
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: gridWidth, h: 1 },
    });
    y += 1;
    for (const { height, panels } of shelves) {
      let x = 0;
      for (const [width, builder] of panels) {
        const panel = { ...builder.build(), id: placed.length + 1, gridPos: { x, y, w: width, h: height } };
        placed.push(width < roomyWidth ? moveLegend(panel) : panel);
        x += width;
      }
      y += height;
    }
  }
  return placed;
}

/** The dashboards that a bar of links leads to, and which variables mean the same there. */
const linked: readonly { readonly uid: string; readonly title: string; readonly takes: readonly VariableName[] }[] = [
  { uid: dashboardUids.fleet, title: "Fleet", takes: ["host", "hw_class"] },
  { uid: dashboardUids.kpis, title: "KPIs", takes: ["host", "hw_class"] },
  { uid: dashboardUids.benchmarks, title: "Benchmark trends", takes: ["host", "hw_class"] },
  // It opens on one host, and knows no All that could be handed on.
  { uid: dashboardUids.host, title: "Host", takes: [] },
  { uid: dashboardUids.gpus, title: "GPUs", takes: ["host"] },
  { uid: dashboardUids.pipeline, title: "Pipeline", takes: ["host"] },
  { uid: dashboardUids.runbooks, title: "Runbooks", takes: [] },
];

/**
 * Leads to the other dashboards, with the time that is shown and the hosts that are selected. A benchmark or a runtime
 * selected here would leave most panels there empty.
 */
function listLinks({ uid, variables }: DashboardFacts): DashboardLink[] {
  return linked
    .filter((each) => each.uid !== uid)
    .map((each) => {
      const names = variables.map(nameVariable);
      const carried = each.takes.filter((name) => names.includes(name)).map((name) => `\${${name}:queryparam}`);
      return {
        title: each.title,
        type: "link" as DashboardLink["type"],
        icon: "dashboard",
        tooltip: "For the same hosts and time",
        url: `/d/${each.uid}${carried.length === 0 ? "" : `?${carried.join("&")}`}`,
        tags: [],
        asDropdown: false,
        targetBlank: false,
        includeVars: false,
        keepTime: true,
      };
    });
}

export function buildDashboard(facts: DashboardFacts): Dashboard {
  const builder = new DashboardBuilder(facts.title)
    .uid(facts.uid)
    .description(facts.description)
    .tags([dashboardTag])
    .time({ from: facts.from, to: "now" })
    .refresh(facts.refresh)
    .readonly()
    .tooltip(1)
    .variables(facts.variables.map((name) => buildSharedVariable(name, facts.opensWith?.[name])))
    .annotations(facts.annotates === false ? [] : [runAnnotation().enable(facts.shadesRuns), environmentAnnotation()])
    .links(listLinks(facts).map((link) => ({ build: () => link })));
  return { ...builder.build(), schemaVersion, panels: placeSections(facts.sections) };
}

/** Returns the number of the panel with a title, for links from alerts. */
export function findPanelId(dashboard: Dashboard, title: string): number {
  const panel = dashboard.panels?.find((each) => each.title === title && each.type !== "row");
  if (panel?.id === undefined) throw new Error(`${dashboard.title} has no panel ${JSON.stringify(title)}`);
  return panel.id;
}

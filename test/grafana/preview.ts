import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { dashboards } from "#grafana/dashboards/registry.js";
import { findAllFiring } from "./check-alerts.js";
import type { Mark } from "./drawing/chart.js";
import { renderPage } from "./drawing/page.js";
import type { PanelData } from "./drawing/panel-body.js";
import { readSeries, readTable } from "./evaluation/answers.js";
import { parseSpan, type Selection, type TimeRange } from "./evaluation/expand.js";
import { fillWithFleet, startDatabase } from "./filled-server.js";
import type { Firing } from "./firing.js";
import { type InfluxReader, openReader } from "./influx-reader.js";
import { expandQuery, listPanels, listQueries, rangeOf, selectOpening } from "./panel-queries.js";

/**
 * `make grafana-preview`: each dashboard as a static page, without Grafana. URL=… reads a database that is there (NOW=…
 * its last moment, in milliseconds); else a simulated fleet is written first.
 */

const out = process.env.OUT || "grafana-preview";
const nowMs = Number(process.env.NOW) || Math.floor(Date.now() / 60_000) * 60_000;

async function readMarks(reader: InfluxReader, dashboard: Dashboard, selection: Selection, shown: TimeRange): Promise<Mark[]> {
  const marks: Mark[] = [];
  for (const placed of listQueries(dashboard)) {
    const name = placed.place.slice("annotation ".length);
    if (dashboard.annotations.list?.find((each) => each.name === name)?.enable !== true) continue;
    const color = placed.place.endsWith("Runs") ? "#5794F2" : "#B877D9";
    const { series } = await reader.ask(expandQuery(placed, selection, shown));
    for (const { name: measurement, columns, values } of series) {
      const wanted = (placed.query as { timeEndColumn?: string }).timeEndColumn;
      const end = columns.findIndex((column) => `${measurement}.${column}` === wanted);
      for (const row of values) marks.push({ fromMs: Number(row[0]), toMs: Number(end < 0 ? row[0] : row[end]), color });
    }
  }
  return marks;
}

function listAlerts(firing: readonly Firing[]): PanelData["alerts"] {
  const fill = (text: string, { labels, value }: Firing): string =>
    text
      .replace(/\{\{ \.Labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? "")
      .replace(/\{\{ printf .*? \}\}/g, value.toPrecision(4));
  const lines = firing.map((each) => ({
    severity: each.rule.labels.severity,
    title: each.rule.title,
    text: fill(each.rule.annotations.summary, each),
  }));
  return lines.sort((a, b) => (a.severity < b.severity ? -1 : 1));
}

async function renderDashboard(
  reader: InfluxReader,
  dashboard: Dashboard,
  selection: Selection,
  firing: readonly Firing[],
): Promise<string> {
  const shown = { fromMs: nowMs - parseSpan((dashboard.time?.from ?? "now-24h").slice("now-".length)), toMs: nowMs };
  const marks = await readMarks(reader, dashboard, selection, shown);
  const data = new Map<number | undefined, PanelData>();
  for (const panel of listPanels(dashboard)) {
    const series: PanelData["series"][number][] = [];
    const tables: PanelData["tables"][number][] = [];
    for (const placed of listQueries(dashboard).filter((each) => each.panel === panel)) {
      const answer = await reader.ask(expandQuery(placed, selection, shown));
      if (answer.error !== "") throw new Error(`${placed.place}: ${answer.error}`);
      if (placed.query.resultFormat === "table") tables.push(readTable(answer.series));
      else series.push(...readSeries(answer.series, placed.query.alias));
    }
    data.set(panel.id, { series, tables, range: rangeOf(panel, shown), marks, alerts: listAlerts(firing) });
  }
  const chosen = Object.entries(selection).map(
    ([name, values]) => `${name}: ${values === "all" ? "All" : [values].flat().join(", ")}`,
  );
  return renderPage(
    dashboard,
    `${chosen.join("   ")}   last ${dashboard.time?.from?.slice(4)}`,
    (panel: Panel) => data.get(panel.id) as PanelData,
  );
}

async function renderAll(url: string): Promise<void> {
  const reader = openReader(url);
  const { firing } = await findAllFiring(reader, nowMs);
  mkdirSync(out, { recursive: true });
  const write = async (name: string, dashboard: Dashboard, selection: Selection): Promise<void> => {
    const path = join(out, `${name}.html`);
    writeFileSync(path, await renderDashboard(reader, dashboard, selection, firing));
    process.stdout.write(`${path}\n`);
  };
  const { series } = await reader.ask('SHOW TAG VALUES FROM "agent" WITH KEY = "host"');
  for (const dashboard of dashboards) {
    await write(dashboard.uid ?? "", dashboard, selectOpening(dashboard, { host: String(series[0].values[0][1]) }));
  }
}

if (process.env.URL) {
  await renderAll(process.env.URL);
} else {
  const server = await startDatabase();
  try {
    await fillWithFleet(server.url, { hosts: 50, fromMs: nowMs - 86_400_000, toMs: nowMs, tickMs: 60_000, runMs: 3_600_000 });
    await renderAll(server.url);
  } finally {
    await server.remove();
  }
}

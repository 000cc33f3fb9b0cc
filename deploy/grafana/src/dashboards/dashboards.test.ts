import { kpis } from "@fleetmark/shared/model/kpis";
import { describe, expect, it } from "vitest";
import { dataPanelsOf, listSelects, listTexts, panelsOf } from "../../test/dashboard-parts.js";
import { ruleGroups } from "../alerts/rule-groups.js";
import { datasource } from "../queries/datasource.js";
import type { InfluxQuery } from "../queries/target.js";
import { dashboards } from "./registry.js";

const rules = ruleGroups.flatMap((group) => group.rules);

describe("dashboards", () => {
  const uids = dashboards.map((dashboard) => dashboard.uid);

  it("have uids and panel numbers of their own", () => {
    expect(new Set(uids).size).toBe(dashboards.length);
    for (const dashboard of dashboards) {
      const ids = (dashboard.panels ?? []).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const titles = panelsOf(dashboard).map(({ title, gridPos }) => `${title} ${gridPos?.y}`);
      expect(new Set(titles).size).toBe(titles.length);
    }
  });

  it("ask the one datasource alone", () => {
    for (const dashboard of dashboards) {
      for (const panel of dataPanelsOf(dashboard)) expect(panel.datasource).toEqual(datasource);
      for (const { datasource: asked } of dashboard.templating.list ?? []) expect(asked).toEqual(datasource);
      for (const { datasource: asked } of dashboard.annotations.list ?? []) expect(asked).toEqual(datasource);
    }
  });

  it("link only to each other", () => {
    const links = dashboards.flatMap((dashboard) =>
      [...listTexts(dashboard)].flatMap((text) => /^\/d\/([\w-]+)/.exec(text)?.[1] ?? []),
    );
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) expect(uids).toContain(link);
  });

  it("lay panels side by side and below each other, never over each other", () => {
    for (const dashboard of dashboards) {
      const taken = new Map<string, string>();
      for (const { title, gridPos } of dashboard.panels ?? []) {
        const { x, y, w, h } = gridPos!;
        expect(x + w, `${title} of ${dashboard.title}`).toBeLessThanOrEqual(24);
        for (let i = x; i < x + w; i++) {
          for (let j = y; j < y + h; j++) {
            expect(taken.get(`${i} ${j}`), `${title} of ${dashboard.title}`).toBeUndefined();
            taken.set(`${i} ${j}`, title ?? "");
          }
        }
      }
    }
  });

  it("say of every panel what it shows and in which unit", () => {
    for (const dashboard of dashboards) {
      for (const panel of panelsOf(dashboard)) {
        expect(panel.description?.length ?? 0, `${panel.title} of ${dashboard.title}`).toBeGreaterThan(30);
      }
      for (const panel of dataPanelsOf(dashboard)) expect(panel.fieldConfig?.defaults.unit, panel.title).toBeTruthy();
    }
  });

  it("use only variables that they have", () => {
    for (const dashboard of dashboards) {
      const names = (dashboard.templating.list ?? []).map(({ name }) => name);
      for (const query of listSelects(dashboard)) {
        for (const [, name] of query.matchAll(/\(\$([a-z]\w*)\)/g)) expect(names, query).toContain(name);
      }
    }
  });

  it("group tables by one tag at most: Grafana's converter may mix up several", () => {
    for (const dashboard of dashboards) {
      for (const { title, targets } of panelsOf(dashboard)) {
        for (const { query, resultFormat } of (targets ?? []) as unknown as InfluxQuery[]) {
          let outermost = query;
          while (/\([^()]*\)/.test(outermost)) outermost = outermost.replace(/\([^()]*\)/g, "");
          const groups = /GROUP BY (.*)$/.exec(outermost)?.[1] ?? "";
          if (resultFormat === "table") expect(groups.split(",").length, `${title}: ${query}`).toBe(1);
        }
      }
    }
  });

  it("select many in each variable, and all but on the host dashboard, which opens on one host", () => {
    for (const dashboard of dashboards) {
      for (const variable of dashboard.templating.list ?? [])
        expect(variable).toMatchObject({ multi: true, includeAll: dashboard.uid !== "fleetmark-host", allValue: ".*" });
      for (const query of listSelects(dashboard)) expect(query).not.toMatch(/"host" (=|!=) '/);
    }
  });
});

describe("what every Grafana from 11.0 on can read", () => {
  it("is a variable's query as text, colours by index, and a schema of its time", () => {
    for (const dashboard of dashboards) {
      for (const { query } of dashboard.templating.list ?? []) expect(query).toBeTypeOf("string");
      expect(JSON.stringify(dashboard)).not.toContain("palette-classic-by-name");
      expect(dashboard.schemaVersion).toBe(39);
    }
  });

  it("is times in seconds alone, which it scales down as well as up", () => {
    for (const dashboard of dashboards) expect(JSON.stringify(dashboard)).not.toMatch(/"(unit|value)":"(ms|µs|ns)"/);
  });

  it("is the end of a run by the name of its frame", () => {
    for (const { annotations } of dashboards) {
      const runs = annotations.list?.find(({ name }) => name === "Runs")?.target;
      if (runs !== undefined) expect(runs).toMatchObject({ timeEndColumn: "run_window.ended_ms" });
    }
  });

  it("is a title in full where a panel has a time of its own", () => {
    const ofOwnTime = dashboards.flatMap(panelsOf).filter(({ timeFrom }) => timeFrom !== undefined);
    expect(ofOwnTime.length).toBeGreaterThan(15);
    for (const { title, hideTimeOverride } of ofOwnTime) expect(hideTimeOverride, title).toBe(true);
  });

  it("is drawn of a single run: rows of cells ask for empty steps too", () => {
    const rows = dashboards.flatMap(panelsOf).filter(({ type }) => type === "status-history");
    for (const { targets } of rows) for (const { query } of targets as InfluxQuery[]) expect(query).toMatch(/fill\(null\)$/);
  });

  it("is a link to another dashboard with the hosts alone, which mean the same there", () => {
    for (const { title, links, templating } of dashboards) {
      const names = (templating.list ?? []).map(({ name }) => name);
      for (const { url, includeVars } of links ?? []) {
        expect(includeVars, title).toBe(false);
        for (const [, name] of (url ?? "").matchAll(/\$\{(\w+):/g))
          expect(names.filter((each) => /^(host|hw_class)$/.test(each))).toContain(name);
      }
    }
  });

  it("is a table of KPIs whose columns fit on a screen 1600 pixels wide", () => {
    const kpiTable = panelsOf(dashboards[0]).find(({ title }) => title === "KPIs per host");
    const widths = (kpiTable?.fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
      properties.flatMap(({ id, value }) => (id === "custom.width" ? [Number(value)] : [])),
    );
    expect(widths.length).toBe(kpis.length + 3);
    expect(widths.reduce((sum, width) => sum + width, 0)).toBeLessThan(1400);
  });
});

describe("queries", () => {
  it("of panels, annotations and rules keep to a time range in every statement", () => {
    const selects = [...dashboards, ...rules].flatMap(listSelects);
    expect(selects.length).toBeGreaterThan(100);
    for (const query of selects) expect(query.match(/\$timeFilter/g)?.length, query).toBe(query.match(/SELECT/g)?.length);
  });
});

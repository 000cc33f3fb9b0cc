import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { kpis } from "@fleetmark/shared/model/kpis";
import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { receiverNames } from "./alerts/notifications.js";
import { ruleGroups } from "./alerts/rule-groups.js";
import { dashboards } from "./dashboards/registry.js";
import { datasource, expressionDatasource } from "./queries/datasource.js";
import type { InfluxQuery } from "./queries/target.js";
import { buildTree } from "./tree.js";

/**
 * What can be said of the provisioning without a Grafana. The shapes are those of its documentation ("Use configuration
 * files to provision alerting resources") and of its readers in pkg/services/provisioning; a key that they do not know
 * would be ignored without a word.
 */

const tree = buildTree();
const rules = ruleGroups.flatMap((group) => group.rules);

function panelsOf(dashboard: Dashboard): Panel[] {
  return (dashboard.panels ?? []).filter((panel): panel is Panel => panel.type !== "row");
}

/** Every text below a value. */
function* listTexts(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) yield* listTexts(each);
}

/** Every query that InfluxDB is asked for values. */
function listSelects(value: unknown): string[] {
  return [...listTexts(value)].filter((text) => text.startsWith("SELECT"));
}

const duration = z.string().regex(/^\d+[smhd]$/);
const uid = z.string().regex(/^[A-Za-z0-9_-]{1,40}$/);
const ruleFile = z.strictObject({
  apiVersion: z.literal(1),
  groups: z.array(
    z.strictObject({
      orgId: z.literal(1),
      name: z.string().min(1),
      folder: z.string().min(1),
      interval: duration,
      rules: z.array(
        z.strictObject({
          uid,
          title: z.string().min(1).max(190),
          condition: z.literal("C"),
          data: z
            .array(
              z.strictObject({
                refId: z.string(),
                relativeTimeRange: z.strictObject({ from: z.int(), to: z.int() }),
                datasourceUid: z.enum([datasource.uid as string, expressionDatasource.uid as string]),
                model: z.record(z.string(), z.unknown()),
              }),
            )
            .min(3)
            .max(5),
          dashboardUid: uid,
          panelId: z.int().positive(),
          noDataState: z.enum(["NoData", "Alerting", "OK", "KeepLast"]),
          execErrState: z.enum(["Error", "Alerting", "OK", "KeepLast"]),
          for: duration,
          annotations: z.record(z.string(), z.string()),
          labels: z.record(z.string(), z.string()),
          isPaused: z.literal(false),
        }),
      ),
    }),
  ),
});
const contactPointFile = z.strictObject({
  apiVersion: z.literal(1),
  contactPoints: z.array(
    z.strictObject({
      orgId: z.literal(1),
      name: z.string().min(1),
      receivers: z.array(
        z.strictObject({
          uid,
          type: z.enum(["email", "webhook", "slack", "prometheus-alertmanager"]),
          settings: z.record(z.string(), z.union([z.string(), z.boolean()])),
          disableResolveMessage: z.boolean(),
        }),
      ),
    }),
  ),
});
const route = {
  receiver: z.string().min(1),
  group_by: z.array(z.string()),
  repeat_interval: duration,
};
const policyFile = z.strictObject({
  apiVersion: z.literal(1),
  policies: z.array(
    z.strictObject({
      orgId: z.literal(1),
      ...route,
      group_wait: duration,
      group_interval: duration,
      routes: z.array(
        z.strictObject({
          ...route,
          object_matchers: z.array(z.tuple([z.string(), z.enum(["=", "!=", "=~", "!~"]), z.string()])),
        }),
      ),
    }),
  ),
});

describe("provisioning files", () => {
  const read = (path: string) => parse(tree.get(path) ?? "");

  it("have the shapes that Grafana reads", () => {
    ruleFile.parse(read("grafana/provisioning/alerting/rules.yaml"));
    policyFile.parse(read("grafana/provisioning/alerting/policies.yaml"));
    for (const name of receiverNames) contactPointFile.parse(read(`grafana/contact-points/${name}.yaml`));
    expect(read("grafana/provisioning/alerting/contact-points.yaml")).toEqual(read("grafana/contact-points/email.yaml"));
  });

  it("lie where Grafana looks: it refuses to start on anything else in its folder for alerting", () => {
    const alerting = [...tree.keys()].filter((path) => path.startsWith("grafana/provisioning/alerting/"));
    for (const path of alerting) expect(path).toMatch(/alerting\/[a-z-]+\.yaml$/);
  });

  it("send alerts to the contact point that every choice of file defines", () => {
    const { receiver, routes } = read("grafana/provisioning/alerting/policies.yaml").policies[0];
    for (const name of receiverNames) {
      const [{ name: contactPoint }] = read(`grafana/contact-points/${name}.yaml`).contactPoints;
      expect([receiver, ...routes.map((each: { receiver: string }) => each.receiver)]).toEqual([contactPoint, contactPoint]);
    }
  });

  it("hold no secret, only the names of variables and files", () => {
    for (const path of ["grafana/provisioning/datasources/fleetmark.yaml", "compose/grafana/datasource.yaml"]) {
      const [{ secureJsonData, url }] = read(path).datasources;
      expect(secureJsonData.httpHeaderValue1).toMatch(/^(\$\{FLEETMARK_\w+\}|Token \$__file\{\/run\/fleetmark\/\w+\})$/);
      expect(url).toMatch(/^\$\{FLEETMARK_\w+\}$/);
    }
  });
});

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
      for (const panel of panelsOf(dashboard)) if (panel.type !== "alertlist") expect(panel.datasource).toEqual(datasource);
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
        if (panel.type !== "alertlist") expect(panel.fieldConfig?.defaults.unit, panel.title).toBeTruthy();
      }
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

  it("select many and all in each variable, and know no host by name", () => {
    for (const dashboard of dashboards) {
      for (const variable of dashboard.templating.list ?? [])
        expect(variable).toMatchObject({ multi: true, includeAll: true, allValue: ".*" });
      for (const query of listSelects(dashboard)) expect(query).not.toMatch(/"host" (=|!=) '/);
    }
  });
});

describe("queries", () => {
  it("of panels, annotations and rules keep to a time range in every statement", () => {
    const selects = [...dashboards, ...rules].flatMap(listSelects);
    expect(selects.length).toBeGreaterThan(100);
    for (const query of selects) expect(query.match(/\$timeFilter/g)?.length, query).toBe(query.match(/SELECT/g)?.length);
  });
});

describe("alert rules", () => {
  it("have uids and titles of their own", () => {
    expect(new Set(rules.map((rule) => rule.uid)).size).toBe(rules.length);
    expect(new Set(rules.map((rule) => rule.title)).size).toBe(rules.length);
  });

  it("warn and alert on every KPI", () => {
    for (const kpi of kpis) {
      const ofKpi = rules.filter(({ labels }) => labels.kpi === kpi.id);
      expect(ofKpi.map(({ labels }) => labels.severity)).toEqual(["warning", "critical"]);
    }
  });

  it("lead to a panel and a runbook that are there", () => {
    for (const { uid: name, dashboardUid, panelId, annotations } of rules) {
      const dashboard = dashboards.find((each) => each.uid === dashboardUid);
      expect(
        panelsOf(dashboard!).map(({ id }) => id),
        name,
      ).toContain(panelId);
      expect(annotations).toMatchObject({ __dashboardUid__: dashboardUid, __panelId__: String(panelId) });
      const page = /^\$\{FLEETMARK_RUNBOOK_URL\}\/([a-z-]+\.md)$/.exec(annotations.runbook_url)?.[1];
      expect(existsSync(fileURLToPath(new URL(`../../../docs/runbooks/${page}`, import.meta.url))), annotations.runbook_url).toBe(
        true,
      );
    }
  });

  it("make one alert of a silent host and of a silent database: only one rule speaks up without data", () => {
    const loud = rules.filter(({ noDataState, execErrState }) => noDataState !== "OK" || execErrState !== "KeepLast");
    expect(loud.map((rule) => rule.uid)).toEqual(["fm-agent-down"]);
  });

  it("write their texts without what provisioning takes for environment variables", () => {
    for (const { annotations, labels } of rules) {
      for (const text of [...Object.values(annotations), ...Object.values(labels)]) {
        expect(text.replace(/^\$\{FLEETMARK_RUNBOOK_URL\}/, "")).not.toContain("$");
      }
    }
  });
});

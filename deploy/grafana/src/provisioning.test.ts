import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { kpis } from "@fleetmark/shared/model/kpis";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { panelsOf } from "../test/dashboard-parts.js";
import { receiverNames } from "./alerts/notifications.js";
import { ruleGroups } from "./alerts/rule-groups.js";
import { dashboards } from "./dashboards/registry.js";
import { runbookDashboard } from "./dashboards/runbooks.js";
import { datasource, expressionDatasource } from "./queries/datasource.js";
import { buildTree } from "./tree.js";

/**
 * What can be said of the provisioning without a Grafana. The shapes are those of its documentation ("Use configuration
 * files to provision alerting resources") and of its readers in pkg/services/provisioning; a key that they do not know
 * would be ignored without a word.
 */

const tree = buildTree();
const rules = ruleGroups.flatMap((group) => group.rules);

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
  templates: z.array(z.strictObject({ orgId: z.literal(1), name: z.string().min(1), template: z.string().min(1) })),
});
const route = {
  receiver: z.string().min(1),
  group_by: z.array(z.string()),
  repeat_interval: duration,
};
const repeated = z.strictObject({
  ...route,
  object_matchers: z.array(z.tuple([z.string(), z.enum(["=", "!=", "=~", "!~"]), z.string()])),
});
const policyFile = z.strictObject({
  apiVersion: z.literal(1),
  policies: z.array(
    z.strictObject({
      orgId: z.literal(1),
      ...route,
      group_wait: duration,
      group_interval: duration,
      routes: z.array(repeated).optional(),
    }),
  ),
});

describe("provisioning files", () => {
  const read = (path: string) => parse(tree.get(path) ?? "");

  it("have the shapes that Grafana reads", () => {
    ruleFile.parse(read("grafana/provisioning/alerting/rules.yaml"));
    for (const name of receiverNames) {
      contactPointFile.parse(read(`grafana/contact-points/${name}.yaml`));
      policyFile.parse(read(`grafana/policies/${name}.yaml`));
    }
    expect(read("grafana/provisioning/alerting/contact-points.yaml")).toEqual(read("grafana/contact-points/email.yaml"));
    expect(read("grafana/provisioning/alerting/policies.yaml")).toEqual(read("grafana/policies/email.yaml"));
  });

  /** An address as Grafana reads it, with its variable set or not. */
  const addressOf = (name: string, value: string): string => {
    const { settings } = read(`grafana/contact-points/${name}.yaml`).contactPoints[0].receivers[0];
    return String(settings.addresses ?? settings.url).replace(/\$\{FLEETMARK_ALERT_\w+\}/, value);
  };

  it("lead to nobody but those that the variables name, and are no empty address without them, which ends Grafana", () => {
    for (const name of receiverNames) expect(addressOf(name, ""), name).toMatch(/^[;#/]$/);
    const recipients = addressOf("email", "a@x.example;b@x.example")
      .split(/[,;\n]/)
      .filter(Boolean);
    expect(recipients).toEqual(["a@x.example", "b@x.example"]);
    for (const name of ["webhook", "slack"]) {
      const { origin, pathname, hash } = new URL(addressOf(name, "https://hook.example/x"));
      expect([`${origin}${pathname}`, hash]).toEqual(["https://hook.example/x", ""]);
    }
    expect(`${addressOf("alertmanager", "http://am.example:9093").replace(/\/$/, "")}/api/v2/alerts`).toBe(
      "http://am.example:9093/api/v2/alerts",
    );
  });

  it("send each address a mail of its own: a relay that refuses one must not take it from the others", () => {
    expect(read("grafana/contact-points/email.yaml").contactPoints[0].receivers[0].settings.singleEmail).toBe(false);
  });

  it("repeat to an Alertmanager within its resolve_timeout of five minutes, whatever the severity", () => {
    const [policy] = read("grafana/policies/alertmanager.yaml").policies;
    expect([policy.group_interval, policy.repeat_interval, policy.routes]).toEqual(["1m", "1m", undefined]);
  });

  it("take the default datasource from nobody", () => {
    for (const path of ["grafana/provisioning/datasources/fleetmark.yaml", "compose/grafana/datasource.yaml"])
      expect(read(path).datasources.map((each: { isDefault: boolean }) => each.isDefault)).toEqual([false]);
  });

  it("find the dashboards where the container or the packages' units say that the folder is", () => {
    const { path } = read("grafana/provisioning/dashboards/fleetmark.yaml").providers[0].options;
    const expand = (variables: Record<string, string>) =>
      path.replace(/\$\{(\w+)\}/g, (_: string, name: string) => variables[name] ?? "");
    for (const name of ["GF_PATHS_PROVISIONING", "PROVISIONING_CFG_DIR"])
      expect(expand({ [name]: "/etc/grafana/provisioning" })).toBe("/etc/grafana/provisioning/dashboards/fleetmark");
  });

  it("lie where Grafana looks: it refuses to start on anything else in its folder for alerting", () => {
    const alerting = [...tree.keys()].filter((path) => path.startsWith("grafana/provisioning/alerting/"));
    for (const path of alerting) expect(path).toMatch(/alerting\/[a-z-]+\.yaml$/);
  });

  it("send alerts to the contact point that every choice of file defines", () => {
    for (const name of receiverNames) {
      const { receiver, routes = [] } = read(`grafana/policies/${name}.yaml`).policies[0];
      const [{ name: contactPoint }] = read(`grafana/contact-points/${name}.yaml`).contactPoints;
      for (const each of [receiver, ...routes.map((route: { receiver: string }) => route.receiver)])
        expect(each).toBe(contactPoint);
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
      const runbook = /\/d\/fleetmark-runbooks\?viewPanel=(\d+)$/.exec(annotations.runbook_url)?.[1];
      const page = panelsOf(runbookDashboard).find(({ id }) => id === Number(runbook))?.title;
      expect(
        existsSync(fileURLToPath(new URL(`../../../docs/runbooks/${page}.md`, import.meta.url))),
        annotations.runbook_url,
      ).toBe(true);
      expect(annotations.panel_url).toContain(`/d/${dashboardUid}?viewPanel=${panelId}`);
    }
  });

  it("hand on the host of the alert in a variable that the dashboard has", () => {
    for (const { uid: name, dashboardUid, annotations, data } of rules) {
      const variables = dashboards.find((each) => each.uid === dashboardUid)?.templating.list?.map((each) => each.name);
      const selected = /&var-(\w+)=\{\{ urlquery \.Labels\.host \}\}$/.exec(annotations.panel_url)?.[1];
      const isByHost = String((data[0].model as { query: string }).query).endsWith('"host"');
      if (isByHost) expect(variables, name).toContain(selected);
    }
  });

  it("have no place that an environment variable would fill: provisioning takes their texts as they are written", () => {
    for (const { annotations } of rules) for (const text of Object.values(annotations)) expect(text).not.toMatch(/\$\{/);
  });

  it("fire on what is past the alert threshold as a warning too, so that worse does not read as resolved", () => {
    const conditionOf = (uid: string) => JSON.stringify(rules.find((rule) => rule.uid === uid)?.data.at(-1)?.model);
    for (const name of ["fm-environment-step-time-warning", "fm-disk-full-warning", "fm-spool-filling-warning"])
      expect(conditionOf(name)).not.toMatch(/&&|within_range/);
  });

  it("wait longer than a new Grafana takes to learn whom to send to", () => {
    for (const rule of rules) expect(["2m", "5m", "10m", "15m"]).toContain(rule.for);
  });

  it("make one alert of a silent fleet and of a silent database: only one rule speaks up without data", () => {
    const loud = rules.filter(({ noDataState, execErrState }) => noDataState === "Alerting" || execErrState === "Alerting");
    expect(loud.map((rule) => rule.uid)).toEqual(["fm-fleet-silent"]);
    for (const { noDataState, execErrState, uid: name } of rules.filter((rule) => !loud.includes(rule))) {
      expect(["OK", "KeepLast"], name).toContain(noDataState);
      expect(execErrState, name).toBe("KeepLast");
    }
  });

  it("write their texts without what provisioning takes for environment variables", () => {
    for (const { annotations, labels } of rules) {
      for (const text of [...Object.values(annotations), ...Object.values(labels)]) {
        expect(text).not.toContain("$");
      }
    }
  });
});

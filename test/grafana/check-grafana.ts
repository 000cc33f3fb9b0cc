import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { dashboards } from "#grafana/dashboards/registry.js";
import { expandVariables, parseSpan, pickInterval, type Selection, type TimeRange } from "./evaluation/expand.js";
import { type GrafanaClient, hasRows, runQueries } from "./grafana-client.js";
import { listAllPatterns, listQueries, type PlacedQuery, rangeOf, selectAll } from "./panel-queries.js";

/**
 * `make grafana-check URL=…`: what a Grafana of a person's own has of Fleetmark's, and whether it works there: every
 * query of every dashboard through its backend, every rule as it evaluates them, and one test message to the contact
 * point. Variables are filled in as its pages do; the rest of a query is its own work.
 */

export interface GrafanaReport {
  readonly ok: boolean;
  readonly version: string;
  readonly datasource: string;
  readonly missing_dashboards: readonly string[];
  readonly panels: { readonly queries_run: number; readonly failed: readonly string[]; readonly empty: number };
  readonly runs_shaded: boolean;
  readonly slowest: { readonly query: string; readonly seconds: number };
  readonly rules: { readonly evaluated: number; readonly missing: readonly string[]; readonly failed: readonly string[] };
  readonly firing: readonly string[];
  readonly notifications: { readonly sent: readonly string[]; readonly failed: readonly string[] };
}

const datasourceUid = "fleetmark-influxdb";

interface PanelsFound {
  queries_run: number;
  failed: string[];
  empty: number;
  runsShaded: boolean;
  slowest: { query: string; seconds: number };
}

async function runPlaced(client: GrafanaClient, placed: PlacedQuery, selection: Selection, shown: TimeRange, found: PanelsFound) {
  const { panel, query, dashboard, place } = placed;
  const range = rangeOf(panel, shown);
  const { fromMs, toMs } = range;
  const maxDataPoints = panel?.maxDataPoints ?? 1200;
  const asked = {
    ...query,
    query: expandVariables(query.query, selection, listAllPatterns(dashboard)),
    intervalMs: pickInterval(range, maxDataPoints, parseSpan(panel?.interval ?? "10s")),
    maxDataPoints,
    datasource: { type: "influxdb", uid: datasourceUid },
  };
  const where = `${dashboard.title}, ${place} ${query.refId}`;
  const begin = performance.now();
  try {
    const body = { queries: [asked], from: String(fromMs), to: String(toMs) };
    const result = (await runQueries(client, "/api/ds/query", body))[query.refId] ?? {};
    if (result.error) found.failed.push(`${where}: ${result.error}`);
    if (!hasRows(result)) found.empty++;
    const names = result.frames?.map(({ schema }) => schema?.name) ?? [];
    const { timeEndColumn } = query as { timeEndColumn?: string };
    if (place === "annotation Runs" && names.includes(timeEndColumn)) found.runsShaded = true;
  } catch (error) {
    found.failed.push(`${where}: ${String(error)}`);
  }
  found.queries_run++;
  const seconds = (performance.now() - begin) / 1000;
  if (seconds > found.slowest.seconds) found.slowest = { query: where, seconds };
}

async function checkDashboards(client: GrafanaClient): Promise<PanelsFound & { missing: string[] }> {
  const found: PanelsFound = { queries_run: 0, failed: [], empty: 0, runsShaded: false, slowest: { query: "", seconds: 0 } };
  const missing: string[] = [];
  for (const dashboard of dashboards) {
    const there = await client.get(`/api/dashboards/uid/${dashboard.uid}`).then(
      () => true,
      () => false,
    );
    if (!there) missing.push(dashboard.uid ?? "");
    const toMs = Date.now();
    const shown = { fromMs: toMs - parseSpan((dashboard.time?.from ?? "now-24h").slice("now-".length)), toMs };
    for (const placed of listQueries(dashboard)) await runPlaced(client, placed, selectAll(dashboard), shown, found);
  }
  return { ...found, missing };
}

interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly alerts?: readonly { readonly state: string; readonly labels: Readonly<Record<string, string>> }[];
}

/** Every rule: whether Grafana has it and can evaluate it, by its own word and asked to at once. */
async function checkRules(client: GrafanaClient) {
  const answer = (await client.get("/api/prometheus/grafana/api/v1/rules")) as { data: { groups: { rules: RuleState[] }[] } };
  const known = new Map(answer.data.groups.flatMap(({ rules }) => rules).map((rule) => [rule.name, rule]));
  const report = { evaluated: 0, missing: [] as string[], failed: [] as string[], firing: [] as string[] };
  for (const { title, condition, data } of ruleGroups.flatMap(({ rules }) => rules)) {
    const state = known.get(title);
    if (state === undefined) report.missing.push(title);
    if (state?.health === "error") report.failed.push(`${title}: ${state.lastError}`);
    for (const { state: of, labels } of state?.alerts ?? []) {
      if (/^(alerting|firing)/i.test(of)) report.firing.push(`${title} ${labels.host ?? ""}`.trim());
    }
    try {
      const results = await runQueries(client, "/api/v1/eval", { condition, data, now: new Date().toISOString() });
      for (const [letter, { error }] of Object.entries(results)) if (error) report.failed.push(`${title} ${letter}: ${error}`);
      report.evaluated++;
    } catch (error) {
      report.failed.push(`${title}: ${String(error)}`);
    }
  }
  return report;
}

interface ContactPoint {
  readonly uid: string;
  readonly name: string;
  readonly type: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly disableResolveMessage: boolean;
}

interface TestAnswer {
  readonly receivers?: readonly {
    readonly grafana_managed_receiver_configs: readonly {
      readonly uid: string;
      readonly status: string;
      readonly error?: string;
    }[];
  }[];
}

/** Sends one test message to the contact point. What Grafana keeps secret it fills in itself, by the uid. */
async function checkNotifications(client: GrafanaClient): Promise<{ sent: string[]; failed: string[] }> {
  const points = (await client.get("/api/v1/provisioning/contact-points?name=fleetmark")) as readonly ContactPoint[];
  if (points.length === 0) return { sent: [], failed: ["there is no contact point fleetmark"] };
  const configs = points.map(({ uid, name, type, settings, disableResolveMessage }) => {
    const secret = Object.keys(settings).filter((key) => settings[key] === "[REDACTED]");
    return {
      uid,
      name,
      type,
      disableResolveMessage,
      settings: Object.fromEntries(Object.entries(settings).filter(([key]) => !secret.includes(key))),
      secureFields: Object.fromEntries(secret.map((key) => [key, true])),
    };
  });
  const { receivers = [] } = (await client.post("/api/alertmanager/grafana/config/api/v1/receivers/test", {
    receivers: [{ name: "fleetmark", grafana_managed_receiver_configs: configs }],
    alert: {
      labels: { alertname: "Fleetmark test", team: "fleetmark", severity: "warning" },
      annotations: { summary: "A test of this contact point", description: "Nothing is wrong: make grafana-check sent this." },
    },
  })) as TestAnswer;
  const answered = receivers.flatMap((receiver) => receiver.grafana_managed_receiver_configs);
  return {
    sent: answered.filter(({ status }) => status === "ok").map(({ uid }) => uid),
    failed: [
      ...answered.filter(({ status }) => status !== "ok").map(({ uid, status, error }) => `${uid}: ${error ?? status}`),
      ...(answered.length === 0 ? ["Grafana did not say what became of the test message"] : []),
    ],
  };
}

export async function checkGrafana(client: GrafanaClient): Promise<GrafanaReport> {
  const { version } = (await client.get("/api/health")) as { version: string };
  const health = (await client.get(`/api/datasources/uid/${datasourceUid}/health`)) as { status?: string; message?: string };
  const { missing, runsShaded, queries_run, failed, empty, slowest } = await checkDashboards(client);
  const { firing, ...rules } = await checkRules(client);
  const notifications = await checkNotifications(client);
  const faults = [missing, failed, rules.missing, rules.failed, notifications.failed];
  return {
    ok: health.status === "OK" && faults.every((list) => list.length === 0),
    version,
    datasource: health.message ?? health.status ?? "no answer",
    missing_dashboards: missing,
    panels: { queries_run, failed, empty },
    runs_shaded: runsShaded,
    slowest,
    rules,
    firing,
    notifications,
  };
}

import { type AlertKey, alertCatalogue, fillIn } from "@fleetmark/shared/alerting/catalogue";
import type { Rule } from "@grafana/grafana-foundation-sdk/alerting";
import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import type { TypeMath, TypeReduce, TypeThreshold } from "@grafana/grafana-foundation-sdk/expr";
import { runbookDashboard } from "../dashboards/runbooks.js";
import { team } from "../panels/dashboard-ids.js";
import { findPanelId } from "../panels/layout.js";
import { datasource, expressionDatasource } from "../queries/datasource.js";
import { renderSelect, type Select } from "../queries/influxql.js";

/** When a rule fires, of the number that its query reduces to. */
export type Condition =
  | { readonly kind: "threshold"; readonly type: "gt" | "lt" | "outside_range"; readonly params: readonly number[] }
  /**
   * Grafana's math, on $B and $E; it fires where that is not 0. For bounds that count themselves, which Grafana 11's
   * thresholds do not.
   */
  | { readonly kind: "math"; readonly expression: string };

/** The panel that an alert leads to. */
export interface PanelReference {
  readonly dashboard: Dashboard;
  readonly title: string;
  /** The variable of the dashboard that the alert's label `host` is for; without one the link selects nobody. */
  readonly follows?: "host" | "collector";
}

export interface RuleFacts {
  /** Up to 40 letters, digits, - and _: Grafana's own limit. */
  readonly uid: string;
  readonly title: string;
  readonly severity: "warning" | "critical";
  readonly labels?: Readonly<Record<string, string>>;
  /** One line; may hold Grafana's template fields. */
  readonly summary: string;
  /** With the value, and the first thing to look at. */
  readonly description: string;
  /** A page of docs/runbooks/, without `.md`. */
  readonly runbook: string;
  readonly panel: PanelReference;
  readonly query: Select;
  /** Seconds back from now that the query reads. */
  readonly lookback: number;
  /** A single number, $E: while this query answers nothing, the rule has no data and judges nobody. */
  readonly whileThereIs?: { readonly query: Select; readonly lookback: number };
  readonly condition: Condition;
  /** How long the condition must hold. */
  readonly pending: string;
  readonly noDataState: Rule["noDataState"];
  readonly execErrState: Rule["execErrState"];
}

/** One alert rule in the shape of Grafana's provisioning files, which is not that of its HTTP API. */
export interface ProvisionedRule {
  readonly uid: string;
  readonly title: string;
  readonly condition: string;
  readonly data: readonly ProvisionedQuery[];
  readonly dashboardUid: string;
  readonly panelId: number;
  readonly noDataState: Rule["noDataState"];
  readonly execErrState: Rule["execErrState"];
  readonly for: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isPaused: boolean;
}

export interface ProvisionedQuery {
  readonly refId: string;
  readonly relativeTimeRange: { readonly from: number; readonly to: number };
  readonly datasourceUid: string;
  readonly model: object;
}

type Model<T> = Omit<T, "_implementsDataqueryVariant">;

/**
 * The value that a rule judged, for its texts. Written without `$`, which Grafana's provisioning would take for an
 * environment variable.
 */
export const value = '{{ printf "%.4g" .Values.B.Value }}';

/** A label of the alert, for its texts. */
export function label(name: string): string {
  return `{{ .Labels.${name} }}`;
}

/** A duration of whole minutes, as Grafana writes it. */
export function formatPending(seconds: number): string {
  return `${seconds / 60}m`;
}

/** What the catalogue says of an alert, with Grafana's template fields. */
export function tell(key: AlertKey): Pick<RuleFacts, "title" | "severity" | "summary" | "description" | "runbook" | "pending"> {
  const { title, severity, summary, description, runbook, forS } = alertCatalogue[key];
  const read = (name: string): string => (name === "value" ? value : label(name));
  const texts = { summary: fillIn(summary, read), description: fillIn(description, read) };
  return { title, severity, ...texts, runbook, pending: formatPending(forS) };
}

/**
 * Grafana's own address, where the alert is evaluated: provisioning takes annotations as they are written, so an
 * environment variable in one would reach people unread. Some versions end the address with a slash, some do not.
 */
const grafanaUrl = '{{ reReplaceAll "/*\\\\z" "" externalURL }}';

/** A link to a panel, with the host of the alert selected. The time is added by what sends it. */
function linkToPanel({ dashboard, title, follows }: PanelReference): string {
  const selection = follows === undefined ? "" : `&var-${follows}={{ urlquery .Labels.host }}`;
  return `${grafanaUrl}/d/${dashboard.uid}?viewPanel=${findPanelId(dashboard, title)}${selection}`;
}

/**
 * A link to a page of docs/runbooks/: where FLEETMARK_RUNBOOK_URL says when the files are generated, else to the
 * dashboard that shows them all.
 */
function linkToRunbook(page: string): string {
  const elsewhere = process.env.FLEETMARK_RUNBOOK_URL;
  if (elsewhere) return `${elsewhere.replace(/\/+$/, "")}/${page}.md`;
  return linkToPanel({ dashboard: runbookDashboard, title: page });
}

function query(refId: string, lookback: number, datasourceUid: string, model: object): ProvisionedQuery {
  return { refId, relativeTimeRange: { from: lookback, to: 0 }, datasourceUid, model };
}

function buildCondition(condition: Condition): Model<TypeThreshold> | Model<TypeMath> {
  const common = { refId: "C", datasource: expressionDatasource };
  if (condition.kind === "math") return { ...common, type: "math", expression: condition.expression };
  const evaluator = { type: condition.type, params: [...condition.params] };
  return { ...common, type: "threshold", expression: "B", conditions: [{ evaluator }] };
}

/** A query to InfluxDB and the last number of each series that it answers. */
function askForLast([ask, reduce]: readonly [ask: string, reduce: string], select: Select, lookback: number): ProvisionedQuery[] {
  const influx = {
    refId: ask,
    datasource,
    query: renderSelect(select),
    rawQuery: true,
    resultFormat: "time_series",
    intervalMs: 60_000,
    maxDataPoints: 43_200,
  };
  const last: Model<TypeReduce> = {
    refId: reduce,
    datasource: expressionDatasource,
    type: "reduce",
    expression: ask,
    reducer: "last",
    settings: { mode: "dropNN" },
  };
  return [query(ask, lookback, datasource.uid as string, influx), query(reduce, 0, expressionDatasource.uid as string, last)];
}

/**
 * Builds a rule of three steps: A asks InfluxDB, B takes the last number of each series, C is 1 where that number is
 * bad.
 */
export function buildRule(facts: RuleFacts): ProvisionedRule {
  const { uid, title, severity, panel, whileThereIs } = facts;
  const panelId = findPanelId(panel.dashboard, panel.title);
  const dashboardUid = panel.dashboard.uid ?? "";
  return {
    uid,
    title,
    condition: "C",
    data: [
      ...askForLast(["A", "B"], facts.query, facts.lookback),
      ...(whileThereIs === undefined ? [] : askForLast(["D", "E"], whileThereIs.query, whileThereIs.lookback)),
      query("C", 0, expressionDatasource.uid as string, buildCondition(facts.condition)),
    ],
    dashboardUid,
    panelId,
    noDataState: facts.noDataState,
    execErrState: facts.execErrState,
    for: facts.pending,
    annotations: {
      summary: facts.summary,
      description: facts.description,
      panel_url: linkToPanel(panel),
      runbook_url: linkToRunbook(facts.runbook),
      __dashboardUid__: dashboardUid,
      __panelId__: String(panelId),
    },
    labels: { team, severity, ...facts.labels },
    isPaused: false,
  };
}

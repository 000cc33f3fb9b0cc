import type { ProvisionedRule } from "#grafana/alerts/rule.js";
import { readSeries, type Series } from "./evaluation/answers.js";
import { evaluateRule } from "./evaluation/evaluate.js";
import { expandTimes } from "./evaluation/expand.js";
import type { InfluxReader } from "./influx-reader.js";

/** One evaluation of a rule at a moment, and the alerts that come of it. */

export interface Firing {
  readonly rule: ProvisionedRule;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface QueryModel {
  readonly query: string;
  readonly intervalMs: number;
}

function labelsKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

/**
 * Evaluates a rule at a moment. Without data, a rule that then alerts makes one alert without its series' labels.
 * `kept` tells that the alerts it has stay as they are.
 */
export async function evaluateAt(
  reader: InfluxReader,
  rule: ProvisionedRule,
  atMs: number,
): Promise<{ bad: Map<string, Firing>; kept: boolean; error: string }> {
  const answers: Record<string, Series[]> = {};
  let error = "";
  for (const { refId, model, relativeTimeRange } of rule.data) {
    const { query, intervalMs } = model as Partial<QueryModel>;
    if (query === undefined || intervalMs === undefined) continue;
    const range = { fromMs: atMs - relativeTimeRange.from * 1000, toMs: atMs - relativeTimeRange.to * 1000 };
    const answer = await reader.ask(expandTimes(query, range, intervalMs));
    answers[refId] = readSeries(answer.series);
    error ||= answer.error;
  }
  const evaluation = evaluateRule(rule, answers);
  const silent = { labels: {}, value: Number.NaN, bad: rule.noDataState === "Alerting" || rule.noDataState === "NoData" };
  const verdicts = evaluation.kind === "judged" ? evaluation.verdicts : [silent];
  const bad = verdicts.filter((verdict) => verdict.bad);
  return {
    bad: new Map(bad.map(({ labels, value }) => [labelsKey(labels), { rule, labels, value }])),
    kept: evaluation.kind === "no-data" && rule.noDataState === "KeepLast",
    error,
  };
}

export function describeAlert(rule: string, labels: Readonly<Record<string, string>>): string {
  return `${rule} ${JSON.stringify(labels)}`;
}

export function describeFiring({ rule, labels, value }: Firing): string {
  return `${describeAlert(rule.uid, labels)} = ${value}`;
}

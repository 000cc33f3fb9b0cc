import type { ProvisionedRule } from "#grafana/alerts/rule.js";
import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { readSeries, type Series } from "./evaluation/answers.js";
import { evaluateRule } from "./evaluation/evaluate.js";
import { expandTimes, parseSpan } from "./evaluation/expand.js";
import type { Breach } from "./fleet-parts.js";
import type { InfluxReader } from "./influx-reader.js";

export interface Firing {
  readonly rule: ProvisionedRule;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface AlertReport {
  readonly rules: number;
  readonly evaluations: number;
  readonly failed: readonly string[];
  readonly rules_fired: number;
  readonly alerts_fired: number;
  readonly breaches_injected: number;
  /** Breaches that no alert tells of. */
  readonly missed: readonly string[];
  /** Alerts that no breach explains. */
  readonly false_alarms: readonly string[];
  /** Alerts at a moment when nothing was wrong. */
  readonly quiet_alarms: readonly string[];
  /** Alerts of silent agents ten minutes after the last sample of anybody: one, of all. */
  readonly silence_alarms: readonly string[];
}

interface QueryModel {
  readonly query: string;
  readonly intervalMs: number;
}

function labelsKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

/**
 * Evaluates a rule at a moment. Without data, a rule whose state is then NoData makes one alert without its series'
 * labels.
 */
async function evaluateAt(
  reader: InfluxReader,
  rule: ProvisionedRule,
  atMs: number,
): Promise<{ bad: Map<string, Firing>; error: string }> {
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
  const silent = { labels: { alertname: "DatasourceNoData" }, value: Number.NaN, bad: rule.noDataState === "NoData" };
  const verdicts = evaluation.kind === "judged" ? evaluation.verdicts : [silent];
  const bad = verdicts.filter((verdict) => verdict.bad);
  return { bad: new Map(bad.map(({ labels, value }) => [labelsKey(labels), { rule, labels, value }])), error };
}

/**
 * The alerts of a rule that fire at a moment: those whose condition held at each evaluation of the rule's `for` before
 * it.
 */
async function findFiring(
  reader: InfluxReader,
  rule: ProvisionedRule,
  intervalMs: number,
  atMs: number,
): Promise<{ firing: Firing[]; evaluations: number; errors: string[] }> {
  const pendingMs = parseSpan(rule.for);
  const moments = Array.from({ length: Math.ceil(pendingMs / intervalMs) + 1 }, (_, i) => atMs - i * intervalMs);
  const errors: string[] = [];
  let firing: Map<string, Firing> | undefined;
  for (const moment of moments) {
    const { bad, error } = await evaluateAt(reader, rule, moment);
    if (error !== "") errors.push(`${rule.uid}: ${error}`);
    firing = firing === undefined ? bad : new Map([...firing].filter(([key]) => bad.has(key)));
  }
  return { firing: [...(firing?.values() ?? [])], evaluations: moments.length, errors };
}

/** Every alert that fires at a moment. */
export async function findAllFiring(
  reader: InfluxReader,
  atMs: number,
): Promise<{ firing: Firing[]; evaluations: number; errors: string[] }> {
  const all = { firing: [] as Firing[], evaluations: 0, errors: [] as string[] };
  for (const { interval, rules } of ruleGroups) {
    for (const rule of rules) {
      const { firing, evaluations, errors } = await findFiring(reader, rule, parseSpan(interval), atMs);
      all.firing.push(...firing);
      all.errors.push(...errors);
      all.evaluations += evaluations;
    }
  }
  return all;
}

function explains(breach: Breach, { rule, labels }: Firing): boolean {
  return breach.rule === rule.uid && Object.entries(breach.labels).every(([name, value]) => labels[name] === value);
}

function describe(rule: string, labels: Readonly<Record<string, string>>): string {
  return `${rule} ${JSON.stringify(labels)}`;
}

function describeFiring({ rule, labels, value }: Firing): string {
  return `${describe(rule.uid, labels)} = ${value}`;
}

/** Evaluates every rule, and compares what fires with what was injected; and at a moment when nothing was wrong. */
export async function checkAlerts(
  reader: InfluxReader,
  atMs: number,
  quietMs: number,
  breaches: readonly Breach[],
): Promise<AlertReport> {
  const quiet = await findAllFiring(reader, quietMs);
  const silence = await findAllFiring(reader, atMs + 600_000);
  const { firing, evaluations, errors } = await findAllFiring(reader, atMs);
  return {
    rules: ruleGroups.reduce((sum, { rules }) => sum + rules.length, 0),
    evaluations: evaluations + quiet.evaluations + silence.evaluations,
    failed: [...errors, ...quiet.errors, ...silence.errors],
    rules_fired: new Set(firing.map(({ rule }) => rule.uid)).size,
    alerts_fired: firing.length,
    breaches_injected: breaches.length,
    missed: breaches
      .filter((breach) => !firing.some((each) => explains(breach, each)))
      .map(({ rule, labels }) => describe(rule, labels)),
    false_alarms: firing.filter((each) => !breaches.some((breach) => explains(breach, each))).map(describeFiring),
    quiet_alarms: quiet.firing.map(describeFiring),
    silence_alarms: silence.firing.filter(({ rule }) => rule.uid === "fm-agent-down").map(describeFiring),
  };
}

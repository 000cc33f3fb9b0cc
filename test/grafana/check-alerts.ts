import type { ProvisionedRule } from "#grafana/alerts/rule.js";
import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { type SilenceReport, watchSilence } from "./check-silence.js";
import { parseSpan } from "./evaluation/expand.js";
import { describeAlert, describeFiring, evaluateAt, type Firing } from "./firing.js";
import type { Breach } from "./fleet-parts.js";
import type { InfluxReader } from "./influx-reader.js";

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
  /** What the silence of the whole fleet came to at each phase that was tried: one alert, and nothing else that is new. */
  readonly silence: SilenceReport;
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

/** Evaluates every rule, and compares what fires with what was injected; and at a moment when nothing was wrong. */
export async function checkAlerts(
  reader: InfluxReader,
  atMs: number,
  quietMs: number,
  breaches: readonly Breach[],
): Promise<AlertReport> {
  const quiet = await findAllFiring(reader, quietMs);
  const silence = await watchSilence(reader, atMs);
  const { firing, evaluations, errors } = await findAllFiring(reader, atMs);
  return {
    rules: ruleGroups.reduce((sum, { rules }) => sum + rules.length, 0),
    evaluations: evaluations + quiet.evaluations + silence.evaluations,
    failed: [...errors, ...quiet.errors, ...silence.failed],
    rules_fired: new Set(firing.map(({ rule }) => rule.uid)).size,
    alerts_fired: firing.length,
    breaches_injected: breaches.length,
    missed: breaches
      .filter((breach) => !firing.some((each) => explains(breach, each)))
      .map(({ rule, labels }) => describeAlert(rule, labels)),
    false_alarms: firing.filter((each) => !breaches.some((breach) => explains(breach, each))).map(describeFiring),
    quiet_alarms: quiet.firing.map(describeFiring),
    silence,
  };
}

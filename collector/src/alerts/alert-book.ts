import { createHash } from "node:crypto";
import type { Breach } from "@fleetmark/shared/alerting/alert";
import type { ToldAlert } from "@fleetmark/shared/alerting/groups";
import { type Found, type Life, type Moment, type Step, stepLife } from "@fleetmark/shared/alerting/life";
import type { AlertRecord } from "@fleetmark/shared/records/alert";
import { usualKeepS } from "./breaches.js";

/** What was resolved is remembered for so long, so that whoever was told of it hears of its end; microseconds. */
const rememberedUs = 86_400e6;

/**
 * Names an alert for good: the same whatever finds it, and whenever. 64 bits of SHA-256 (FIPS 180-4) of its name and
 * labels.
 */
export function identifyAlert({ name, labels }: Pick<Breach, "name" | "labels">): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([name, sorted]))
    .digest("hex")
    .slice(0, 16);
}

/** An alert with its life. */
interface Entry {
  readonly life: Life;
  readonly breach: Breach;
}

/** How it was found at an evaluation: with what is breached now, and whether an alert that is not among it is clear. */
export interface Findings {
  readonly breaches: readonly Breach[];
  isUnknown(alert: Pick<Breach, "name" | "labels">): boolean;
}

/**
 * What there is of alerts: those that wait, those that fire, and those that were resolved of late. It knows neither the
 * time nor a store.
 */
export interface AlertBook {
  /** Takes up what was recorded before, the latest of each alert. */
  restore(records: readonly AlertRecord[], nowUs: number): void;
  /** Advances all alerts; returns their transitions, as they are to be recorded. */
  advance(findings: Findings, moment: Moment): AlertRecord[];
  pending(): ToldAlert[];
  firing(): ToldAlert[];
  /** What was resolved within a day. */
  resolved(): ToldAlert[];
}

function tell(id: string, { life, breach }: Entry): ToldAlert {
  const { name, severity, labels, summary, description, runbook, value, threshold } = breach;
  return { id, name, severity, labels, summary, description, runbook, value, threshold, sinceUs: life.sinceUs };
}

function recordStep(id: string, breach: Breach, state: AlertRecord["state"], life: Life, nowUs: number): AlertRecord {
  const { name, severity, labels, value, threshold, summary, description, runbook } = breach;
  const words = { summary, description, runbook };
  const times = { time_us: nowUs, since_us: life.sinceUs, begins_us: [...life.begins] };
  return { id, alert: name, host: labels.host ?? "", state, severity, labels, value, threshold, ...words, ...times };
}

function readBreach(record: AlertRecord): Breach {
  const { alert: name, severity, labels, value, threshold, summary, description, runbook } = record;
  // How long it must hold is said by what finds it again.
  const patience = { forS: Number.POSITIVE_INFINITY, keepS: usualKeepS };
  return { name, severity, labels, ...patience, value, threshold, summary, description, runbook };
}

function readLife({ state, since_us, begins_us, time_us }: AlertRecord, nowUs: number): Life | undefined {
  if (state === "resolved") return undefined;
  const isFiring = state === "firing";
  // What waited goes on waiting: the time without a collector counts, for it is found again or not.
  const countedS = isFiring ? 0 : Math.max(0, (nowUs - time_us) / 1e6);
  return { state, sinceUs: since_us, firedUs: isFiring ? time_us : undefined, countedS, begins: begins_us };
}

export function createAlertBook(): AlertBook {
  const entries = new Map<string, Entry>();
  const resolved = new Map<string, ToldAlert>();
  /** When alerts that are over fired of late. */
  const begins = new Map<string, readonly number[]>();

  const apply = (id: string, breach: Breach, step: Step, { nowUs }: Moment, former: Life | undefined): AlertRecord[] => {
    if (step.life === undefined) entries.delete(id);
    else entries.set(id, { life: step.life, breach });
    if (step.transition === undefined) return [];
    const life = step.life ?? former;
    if (life === undefined) return [];
    if (step.transition === "firing") resolved.delete(id);
    if (step.transition === "resolved") {
      resolved.set(id, { ...tell(id, { life, breach }), resolvedUs: nowUs });
      begins.set(id, life.begins);
    }
    return [recordStep(id, breach, step.transition, life, nowUs)];
  };

  const forget = (nowUs: number): void => {
    for (const [id, { resolvedUs = 0 }] of resolved) {
      if (Math.abs(nowUs - resolvedUs) <= rememberedUs) continue;
      resolved.delete(id);
      begins.delete(id);
    }
  };

  return {
    restore: (records, nowUs) => {
      for (const record of records) {
        const { id, time_us } = record;
        const life = readLife(record, nowUs);
        const breach = readBreach(record);
        if (life !== undefined) entries.set(id, { life, breach });
        else if (Math.abs(nowUs - time_us) <= rememberedUs) {
          begins.set(id, record.begins_us);
          resolved.set(id, { ...record, name: record.alert, sinceUs: record.since_us, resolvedUs: time_us });
        }
      }
    },
    advance: ({ breaches, isUnknown }, moment) => {
      forget(moment.nowUs);
      const found = new Map(breaches.map((breach) => [identifyAlert(breach), breach]));
      const records: AlertRecord[] = [];
      const step = (id: string, breach: Breach, how: Found): void => {
        const former = entries.get(id)?.life;
        const patience = { forS: breach.forS, keepS: breach.keepS };
        const next = stepLife(former, how, patience, moment, breach.sinceUs ?? moment.nowUs, begins.get(id));
        records.push(...apply(id, breach, next, moment, former));
      };
      for (const [id, breach] of found) step(id, breach, "breached");
      for (const [id, { breach }] of entries) if (!found.has(id)) step(id, breach, isUnknown(breach) ? "unknown" : "clear");
      return records;
    },
    pending: () => [...entries].flatMap(([id, entry]) => (entry.life.state === "pending" ? [tell(id, entry)] : [])),
    firing: () => [...entries].flatMap(([id, entry]) => (entry.life.state === "firing" ? [tell(id, entry)] : [])),
    resolved: () => [...resolved.values()],
  };
}

import type { Breach, Labels } from "@fleetmark/shared/alerting/alert";
import { alertCatalogue, fillIn } from "@fleetmark/shared/alerting/catalogue";
import { formatNumber } from "@fleetmark/shared/model/numbers";
import type { SeriesHistory, StoreReader } from "../store/store.js";
import { type Sight, usualKeepS, type Watcher } from "./breaches.js";
import { createGrowth, type Growth } from "./growth.js";
import { type TelemetryRule, telemetryRules } from "./telemetry-rules.js";

/** How far back a counter is read: some samples, so that one that is late is seen. */
const counterBackUs = 180e6;
/** Between two looks, microseconds: the store is asked some twenty questions. */
const lookEveryUs = 60e6;
/** Of two hundred thousand series one question is answered. */
const maxPoints = 400_000;
const hourUs = 3600e6;

/** What was read of one thing. */
interface Reading {
  readonly labels: Labels;
  readonly value: number;
}

interface Question {
  readonly measurement: string;
  readonly field: string;
  readonly aggregate: "last" | "p50" | "min";
  readonly backUs: number;
}

type Ask = (question: Question) => Promise<SeriesHistory[]>;

/** Asks each question once a look, though several rules have it. */
function createAsking(store: Pick<StoreReader, "history">, nowUs: number): Ask {
  const asked = new Map<string, Promise<SeriesHistory[]>>();
  return (question) => {
    const key = JSON.stringify(question);
    const { measurement, field, aggregate, backUs } = question;
    // Buckets begin at multiples of their width, so that a range of minutes lies in one, or in two.
    const range = { fromUs: nowUs - backUs, toUs: nowUs + 1, bucketUs: hourUs };
    const answer = asked.get(key) ?? store.history({ measurement, field, aggregate, tags: {}, ...range, maxPoints });
    asked.set(key, answer);
    return answer;
  };
}

function chooseLabels(tags: Labels, by: TelemetryRule["by"]): Labels | undefined {
  const { host } = tags;
  const told = by === undefined ? undefined : tags[by];
  if (host === undefined || (by !== undefined && told === undefined)) return undefined;
  return by === undefined ? { host } : { host, [by]: told as string };
}

function readOne(
  histories: readonly SeriesHistory[],
  by: TelemetryRule["by"],
  aggregate: Question["aggregate"],
): Map<string, Reading> {
  const found = new Map<string, Reading>();
  for (const { tags, points } of histories) {
    const labels = chooseLabels(tags, by);
    const value = aggregate === "min" ? Math.min(...points.map(([, each]) => each)) : points.at(-1)?.[1];
    // A measurement's other points carry a reason; the ones of the whole carry none.
    if (labels === undefined || value === undefined || (by === undefined && tags.reason !== undefined)) continue;
    found.set(JSON.stringify(labels), { labels, value });
  }
  return found;
}

async function readGrowth(
  { measurement, field, by, withinS }: TelemetryRule,
  ask: Ask,
  growth: Growth,
  nowUs: number,
): Promise<Reading[]> {
  const about = { measurement, field, backUs: counterBackUs };
  const last = readOne(await ask({ ...about, aggregate: "last" }), by, "last");
  const least = readOne(await ask({ ...about, aggregate: "min" }), by, "min");
  return [...last].map(([key, { labels, value }]) => {
    const name = `${measurement} ${field} ${key}`;
    growth.note(name, value, least.get(key)?.value ?? value, nowUs);
    return { labels, value: growth.read(name, nowUs, withinS) };
  });
}

async function readRule(rule: TelemetryRule, ask: Ask, growth: Growth, nowUs: number): Promise<readonly Reading[]> {
  const { measurement, field, shareOf, by, read, withinS } = rule;
  if (read === "growth") return readGrowth(rule, ask, growth, nowUs);
  const backUs = withinS * 1e6;
  const found = readOne(await ask({ measurement, field, aggregate: read, backUs }), by, read);
  if (shareOf === undefined) return [...found.values()];
  const wholes = readOne(await ask({ measurement, field: shareOf, aggregate: read, backUs }), by, read);
  return [...found].flatMap(([key, { labels, value }]) => {
    const whole = wholes.get(key)?.value ?? 0;
    return whole > 0 ? [{ labels, value: (100 * value) / whole }] : [];
  });
}

function isBad({ key, bad }: TelemetryRule, value: number): boolean {
  const { threshold } = alertCatalogue[key];
  if (bad === "outside") return Math.abs(value) > threshold;
  return bad === "over" ? value > threshold : value < threshold;
}

function makeBreach({ key }: TelemetryRule, { labels, value }: Reading): Breach {
  const { title: name, severity, runbook, forS, threshold, summary, description } = alertCatalogue[key];
  const read = (label: string): string => (label === "value" ? formatNumber(value) : (labels[label] ?? ""));
  const texts = { summary: fillIn(summary, read), description: fillIn(description, read) };
  return { name, severity, labels, forS, keepS: usualKeepS, value, threshold, ...texts, runbook };
}

/** Which things of which alerts were read of, as one text each. */
const nameThing = (name: string, labels: Labels): string =>
  JSON.stringify([name, labels.host, labels.reason ?? "", labels.path ?? ""]);

/**
 * Watches what agents and collectors say of themselves. A disk is no emptier and a host no healthier because nobody
 * reports it: what was not read of stays as it is, but for growth, which is over when nothing grows.
 */
export function createTelemetryWatcher(store: Pick<StoreReader, "history">): Watcher {
  const growth = createGrowth();
  const names = new Set<string>(telemetryRules.map(({ key }) => alertCatalogue[key].title));
  const growing = new Map<string, number>(
    telemetryRules.flatMap(({ key, read, withinS }) => (read === "growth" ? [[alertCatalogue[key].title, withinS]] : [])),
  );
  let firstUs: number | undefined;
  let seen: { readonly atUs: number; readonly sight: Sight } | undefined;
  const look = async (nowUs: number): Promise<Sight> => {
    if (seen !== undefined && Math.abs(nowUs - seen.atUs) < lookEveryUs) return seen.sight;
    const ask = createAsking(store, nowUs);
    const breaches: Breach[] = [];
    const things = new Set<string>();
    for (const rule of telemetryRules) {
      for (const reading of await readRule(rule, ask, growth, nowUs)) {
        things.add(nameThing(alertCatalogue[rule.key].title, reading.labels));
        if (isBad(rule, reading.value)) breaches.push(makeBreach(rule, reading));
      }
    }
    firstUs ??= nowUs;
    const watchedS = (nowUs - firstUs) / 1e6;
    // What grew before this collector began is not known to be over before as long has passed.
    const isUnknown: Sight["isUnknown"] = ({ name, labels }) => {
      const withinS = growing.get(name);
      return withinS === undefined ? !things.has(nameThing(name, labels)) : watchedS < withinS;
    };
    seen = { atUs: nowUs, sight: { breaches, isUnknown } };
    return seen.sight;
  };
  return { tellsOf: (name) => names.has(name), look };
}

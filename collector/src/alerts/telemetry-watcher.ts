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
  readonly aggregate: Exclude<TelemetryRule["read"], "growth">;
  readonly tags: Labels;
  readonly backUs: number;
}

type Ask = (question: Question) => Promise<SeriesHistory[]>;

/** Asks each question once a look, though several rules have it. */
function createAsking(store: Pick<StoreReader, "history">, nowUs: number): Ask {
  const asked = new Map<string, Promise<SeriesHistory[]>>();
  return (question) => {
    const key = JSON.stringify(question);
    const { measurement, field, aggregate, backUs, tags } = question;
    // Buckets begin at multiples of their width, so that a range of minutes lies in one, or in two.
    const range = { fromUs: nowUs - backUs, toUs: nowUs + 1, bucketUs: hourUs };
    const answer = asked.get(key) ?? store.history({ measurement, field, aggregate, tags, ...range, maxPoints });
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

/** Makes one value of those of the buckets that a range lies in. */
function join(values: readonly number[], aggregate: Question["aggregate"]): number | undefined {
  if (values.length === 0) return undefined;
  if (aggregate === "min") return Math.min(...values);
  return aggregate === "max" ? Math.max(...values) : values.at(-1);
}

/** Whether a series is of the whole thing: parts of it carry a reason, or the name of a probe. */
function isWhole(tags: Labels, { by, of = {} }: TelemetryRule): boolean {
  return by !== undefined || (tags.reason === undefined && (tags.probe === undefined || "probe" in of));
}

async function readOne(
  rule: TelemetryRule,
  ask: Ask,
  about: Pick<Question, "field" | "aggregate" | "backUs">,
): Promise<Map<string, Reading>> {
  const { measurement, by, of: tags = {} } = rule;
  const found = new Map<string, Reading>();
  for (const history of await ask({ measurement, tags, ...about })) {
    const labels = chooseLabels(history.tags, by);
    const value = join(
      history.points.map(([, each]) => each),
      about.aggregate,
    );
    if (labels === undefined || value === undefined || !isWhole(history.tags, rule)) continue;
    found.set(JSON.stringify(labels), { labels, value });
  }
  return found;
}

async function readGrowth(rule: TelemetryRule, ask: Ask, growth: Growth, nowUs: number): Promise<Reading[]> {
  const { measurement, field, withinS } = rule;
  const last = await readOne(rule, ask, { field, aggregate: "last", backUs: counterBackUs });
  const least = await readOne(rule, ask, { field, aggregate: "min", backUs: counterBackUs });
  return [...last].map(([key, { labels, value }]) => {
    const name = `${measurement} ${field} ${key}`;
    growth.note(name, value, least.get(key)?.value ?? value, nowUs);
    return { labels, value: growth.read(name, nowUs, withinS) };
  });
}

async function readRule(rule: TelemetryRule, ask: Ask, growth: Growth, nowUs: number): Promise<readonly Reading[]> {
  const { field, shareOf, read: aggregate, withinS } = rule;
  if (aggregate === "growth") return readGrowth(rule, ask, growth, nowUs);
  const backUs = withinS * 1e6;
  const found = await readOne(rule, ask, { field, aggregate, backUs });
  if (shareOf === undefined) return [...found.values()];
  const wholes = await readOne(rule, ask, { field: shareOf, aggregate, backUs });
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
  JSON.stringify([name, labels.host, labels.reason ?? labels.path ?? labels.index ?? ""]);

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

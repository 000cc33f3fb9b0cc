import type { Result } from "../model/result.js";
import { isSteady } from "./comparison.js";
import { compareWithExpectation, expectResult, findLevels, hasFigure, keepBestLevel } from "./expectation.js";
import { type Cause, describeDifference, type Environment, explainRegression, type Sibling } from "./explanation.js";
import { type MachineDrift, measureDrift, readMachineState, summarizeMachine } from "./machine-drift.js";
import { gradeSeverity, type Severity } from "./severity.js";
import { judgeChange, type Verdict } from "./verdict.js";

/** A result of before with the environment that it was measured in. */
export interface PastResult {
  readonly result: Result;
  readonly environment: Environment;
}

/** All that a judgement is made of. */
export interface Case {
  readonly result: Result;
  readonly environment: Environment;
  /** Results of the same benchmark on the same host, in order of time, all earlier. */
  readonly history: readonly PastResult[];
  /** The results that a person pinned as the baseline; empty where none did. */
  readonly pinned: readonly PastResult[];
  /** From when on results count for the rolling baseline: the level of then was accepted; 0 where none was. */
  readonly acceptedUs: number;
  /** How often a benchmark that did not change may be called slower, in a year. */
  readonly falseAlarmsPerYear: number;
  /** How other hosts of the class did at the same benchmark of late. */
  readonly siblings: readonly Sibling[];
}

export const baselineKinds = ["pinned", "rolling", "none"] as const;

/** What a result is found to be, against its baseline. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly severity: Severity;
  readonly baseline: (typeof baselineKinds)[number];
  /** How many results the baseline is made of. */
  readonly baseline_results: number;
  /** In the result's own unit. */
  readonly before: number;
  readonly after: number;
  /** after / before − 1 in percent, more being slower; of an overhead the difference in percentage points. */
  readonly change: number;
  /** Bounds of the change; absent where there is no baseline. */
  readonly low?: number;
  readonly high?: number;
  /** When the level that it is at began, microseconds since the Unix epoch. */
  readonly since_us: number;
  readonly cause: Cause | "";
  readonly why: string;
}

/** The rolling baseline is made of so many results at most. */
const mostResults = 20;
/** An environment of fewer results is compared with the one before it. */
const fewestOfEnvironment = 3;
const yearS = 365.25 * 86_400;
/** Of a host without a schedule a result a day is taken for granted. */
const dailyS = 86_400;
/** No result is held to more than this: the tails of what benchmarks do are not known so far out. */
const mostConfidence = 0.9999;

/** The confidence at which results so far apart are called slower by chance so often in a year. */
export function chooseConfidence(everyS: number | undefined, falseAlarmsPerYear: number): number {
  const share = falseAlarmsPerYear * Math.min(1, (everyS ?? dailyS) / yearS);
  return Math.min(mostConfidence, Math.max(0.5, 1 - 2 * share));
}

/** What a host is like, but for the commit that was measured: new code is what is judged, and opens no segment. */
function nameEnvironment({ commit: _, ...environment }: Environment): string {
  return JSON.stringify(Object.entries(environment).sort());
}

/** Whether a former result says what a later one should be. */
function isComparable(former: Result, result: Result): boolean {
  return (
    former.hw_class === result.hw_class &&
    former.quantity === result.quantity &&
    former.unit === result.unit &&
    isSteady(former) &&
    hasFigure(former)
  );
}

/**
 * The rolling baseline: the last results of the same environment, at the best level that they had; those of the
 * environment before where this one has too few. An environment that is not known is like any other.
 */
function rollBaseline({ result, environment, history, acceptedUs }: Case): readonly PastResult[] {
  const usable = history.filter((past) => past.result.time_us >= acceptedUs && isComparable(past.result, result));
  const own = nameEnvironment(environment);
  const unknown = nameEnvironment({});
  const same = usable.filter((past) => [own, unknown].includes(nameEnvironment(past.environment)));
  const segment = same.length >= fewestOfEnvironment ? same : usable;
  const kept = new Set(keepBestLevel(segment.map((past) => past.result)));
  return segment.filter((past) => kept.has(past.result)).slice(-mostResults);
}

/** What a pinned baseline may be compared with: the same figure on the same hardware. */
function selectBaseline(given: Case): { readonly kind: Judgement["baseline"]; readonly past: readonly PastResult[] } {
  const pinned = given.pinned.filter(({ result }) => isComparable(result, given.result));
  if (pinned.length > 0) return { kind: "pinned", past: pinned };
  const past = rollBaseline(given);
  return { kind: past.length === 0 ? "none" : "rolling", past };
}

/** When the level of a result began: at its own time where it is the first of its kind. */
function findSince({ result, history }: Case): number {
  const results = [...history.map((past) => past.result).filter((each) => isComparable(each, result)), result];
  const start = findLevels(results).at(-1) ?? 0;
  return start === 0 ? result.time_us : results[start].time_us;
}

interface Moved {
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

/** What the machine itself may explain is not called: the interval reaches so much further. */
function allowFor({ change, low, high }: Moved, drift: number): Moved {
  const move = (bound: number, by: number): number => Math.expm1(Math.log1p(bound) + by);
  return { change, low: move(low, -Math.max(0, drift)), high: move(high, Math.max(0, -drift)) };
}

const total = ({ pace, contention }: MachineDrift): number => pace + contention;

/** Percent, or percentage points as they are. */
function inPercent(moved: Moved, isRelative: boolean): Moved {
  const factor = isRelative ? 100 : 1;
  return { change: factor * moved.change, low: factor * moved.low, high: factor * moved.high };
}

function withoutBaseline({ result, history, pinned }: Case): Judgement {
  const steady = isSteady(result) && hasFigure(result);
  const why = !steady
    ? "its times never settled"
    : history.length + pinned.length === 0
      ? "it is the first result of this benchmark here"
      : "no result of before is comparable: they were not steady, of other hardware, or before the level was accepted";
  const { median: after, time_us } = result;
  const verdict = steady ? "inconclusive" : "not-steady";
  const figures = { before: after, after, change: 0, since_us: time_us };
  return { verdict, severity: "none", baseline: "none", baseline_results: 0, ...figures, cause: "", why };
}

/**
 * Judges a result by those of before: what was pinned, or else the last ones of its environment. The interval of the
 * change is that of one more result among them, so that a benchmark that differs from day to day is held to less than
 * one that does not; and it reaches as much further as the machine itself became slower.
 */
export function judgeResult(given: Case): Judgement {
  const { result, environment, siblings } = given;
  const { kind, past } = selectBaseline(given);
  if (past.length === 0 || !isSteady(result) || !hasFigure(result)) return withoutBaseline(given);
  const before = past.map((each) => each.result);
  const isRelative = result.quantity !== "overhead";
  const compared = compareWithExpectation(
    result,
    expectResult(before),
    chooseConfidence(result.every_s, given.falseAlarmsPerYear),
  );
  const drift =
    result.quantity === "time" ? measureDrift(summarizeMachine(before), readMachineState(result)) : { pace: 0, contention: 0 };
  const raw = inPercent(compared, isRelative);
  const allowed = isRelative ? inPercent(allowFor(compared, total(drift)), true) : raw;
  const verdict = judgeChange(allowed.change, allowed.low, allowed.high, 1);
  const shared = {
    baseline: kind,
    baseline_results: before.length,
    before: compared.before,
    after: compared.after,
    ...allowed,
  };
  const isMachine = verdict !== "regressed" && judgeChange(raw.change, raw.low, raw.high, 1) === "regressed";
  const since_us = verdict === "regressed" || verdict === "improved" ? findSince(given) : result.time_us;
  const evidence = { result, before, drift, siblings };
  const environments = { before: past[past.length - 1].environment, after: environment };
  if (verdict === "regressed" || isMachine) {
    const { cause, why } = explainRegression({ ...evidence, environment: environments });
    return { verdict, severity: gradeSeverity(verdict, allowed.change), ...shared, since_us, cause, why };
  }
  const changed = describeDifference(environments.before, environments.after);
  const why = verdict === "improved" && changed.length > 0 ? `changed since: ${changed.join(", ")}` : "";
  return { verdict, severity: "none", ...shared, since_us, cause: "", why };
}

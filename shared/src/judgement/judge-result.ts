import type { Result } from "../model/result.js";
import { isSteady } from "./comparison.js";
import { type FormerVerdict, type Learned, learnCaution, type Mark } from "./error-rate.js";
import { hasFigure } from "./expectation.js";
import { type Cause, describeDifference, type Environment, explainRegression, type Sibling } from "./explanation.js";
import { measureMove } from "./result-move.js";
import { rollBaseline } from "./rolling-baseline.js";
import { gradeSeverity, type Severity, severeMemory } from "./severity.js";
import type { Verdict } from "./verdict.js";

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
  /** The verdict before of the same benchmark on the same host, and what somebody has said of verdicts since. */
  readonly former?: FormerVerdict | undefined;
  readonly mark?: Mark | undefined;
  /** How other hosts of the class did at the same benchmark of late. */
  readonly siblings: readonly Sibling[];
}

export const baselineKinds = ["pinned", "rolling", "none"] as const;

/** What a result is found to be, against its baseline. */
export interface Judgement extends Learned {
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

/** An environment of fewer results is compared with the one before it. */
const fewestOfEnvironment = 3;
const yearS = 365.25 * 86_400;
/** Of a host without a schedule a result a day is taken for granted. */
const dailyS = 86_400;
/** No result is held to more than this: the tails of what benchmarks do are not known so far out. */
const mostConfidence = 0.9999;

/** Of results so far apart the share that may be called slower by chance. */
function chooseShare(everyS: number | undefined, falseAlarmsPerYear: number): number {
  return falseAlarmsPerYear * Math.min(1, (everyS ?? dailyS) / yearS);
}

/** The confidence at which results so far apart are called slower by chance so often in a year. */
export function chooseConfidence(everyS: number | undefined, falseAlarmsPerYear: number): number {
  const share = chooseShare(everyS, falseAlarmsPerYear);
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

/** What a result is compared with, and the results at the end of its history that had moved as it has. */
interface Baseline {
  readonly kind: Judgement["baseline"];
  readonly past: readonly PastResult[];
  readonly slower: readonly Result[];
  readonly faster: readonly Result[];
}

/**
 * The rolling baseline of the same environment, or of the one before it where this one has too few results. An
 * environment that is not known is like any other.
 */
function selectRolling({ result, environment, history, acceptedUs }: Case, confidence: number): Baseline {
  const usable = history.filter((past) => past.result.time_us >= acceptedUs && isComparable(past.result, result));
  const own = nameEnvironment(environment);
  const unknown = nameEnvironment({});
  const same = usable.filter((past) => [own, unknown].includes(nameEnvironment(past.environment)));
  const segment = same.length >= fewestOfEnvironment ? same : usable;
  const { results, slower, faster } = rollBaseline(
    segment.map((past) => past.result),
    confidence,
  );
  const kept = new Set(results);
  const past = segment.filter((each) => kept.has(each.result));
  return { kind: past.length === 0 ? "none" : "rolling", past, slower, faster };
}

/** What was pinned, if it is the same figure on the same hardware; else the rolling baseline. */
function selectBaseline(given: Case, confidence: number): Baseline {
  const rolling = selectRolling(given, confidence);
  const pinned = given.pinned.filter(({ result }) => isComparable(result, given.result));
  return pinned.length === 0 ? rolling : { ...rolling, kind: "pinned", past: pinned };
}

/** When the level that a result is at began. */
function findSince({ time_us }: Result, verdict: Verdict, { slower, faster }: Baseline): number {
  if (verdict === "regressed") return slower[0]?.time_us ?? time_us;
  return verdict === "improved" ? (faster[0]?.time_us ?? time_us) : time_us;
}

function withoutBaseline({ result, history, pinned }: Case): Omit<Judgement, keyof Learned> {
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
 * Grades a verdict as a comparison of two results does: of what processes something by the throughput lost, of memory
 * as medium from a fifth on.
 * @param change percent, more being slower, or percentage points
 */
function gradeMove({ quantity, throughput }: Result, verdict: Verdict, change: number): Severity {
  if (quantity === "memory") return verdict !== "regressed" ? "none" : change > severeMemory ? "medium" : "low";
  return gradeSeverity(verdict, quantity === "time" && throughput > 0 ? 100 * (1 - 1 / (1 + change / 100)) : change);
}

/**
 * Judges a result by those of before: what was pinned, or else the last ones of its environment. Where former verdicts
 * were wrong more often than was asked, it is held to less.
 */
export function judgeResult(given: Case): Judgement {
  const { result, former, mark, falseAlarmsPerYear } = given;
  const judged = judgeMove(given);
  return { ...judged, ...learnCaution(former, judged.verdict, chooseShare(result.every_s, falseAlarmsPerYear), mark) };
}

function judgeMove(given: Case): Omit<Judgement, keyof Learned> {
  const { result, environment, siblings, falseAlarmsPerYear, former } = given;
  if (!isSteady(result) || !hasFigure(result)) return withoutBaseline(given);
  const confidence = chooseConfidence(result.every_s, falseAlarmsPerYear * (former?.caution ?? 1));
  const baseline = selectBaseline(given, confidence);
  if (baseline.past.length === 0) return withoutBaseline(given);
  const results = baseline.past.map((each) => each.result);
  const { before, after, change, low, high, drift, verdict, isMachine } = measureMove(result, results, confidence);
  const judged = {
    verdict,
    severity: gradeMove(result, verdict, change),
    baseline: baseline.kind,
    baseline_results: results.length,
    ...{ before, after, change, low, high },
    since_us: findSince(result, verdict, baseline),
  };
  const environments = { before: baseline.past[baseline.past.length - 1].environment, after: environment };
  if (verdict === "regressed" || isMachine)
    return { ...judged, ...explainRegression({ result, before: results, drift, siblings, environment: environments }) };
  const changed = describeDifference(environments.before, environments.after);
  const why = verdict === "improved" && changed.length > 0 ? `changed since: ${changed.join(", ")}` : "";
  return { ...judged, cause: "", why };
}

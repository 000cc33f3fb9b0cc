import type { Verdict } from "./verdict.js";

/** What somebody may say of a regression: that it was none, or that it was one. */
export const marks = ["false", "true"] as const;
export type Mark = (typeof marks)[number];

/** What of a verdict tells how often verdicts are wrong. */
export interface JudgedOnce {
  readonly host: string;
  readonly name: string;
  readonly time_us: number;
  readonly verdict: Verdict;
  readonly cause: string;
  /** What somebody said of it. */
  readonly mark?: Mark | undefined;
}

/** How often benchmarks that did not change were called slower. */
export interface ErrorRate {
  /** Verdicts that had a baseline, and the years over which they were given, summed over benchmarks and hosts. */
  readonly verdicts: number;
  readonly benchmark_years: number;
  /** Regressions that began, and those of them that were false. */
  readonly alarms: number;
  readonly false_alarms: number;
  /** Per benchmark, host and year, with its 95 % interval; null where less than a day was seen. */
  readonly per_year: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** A regression that lasts for fewer results was none: what is slower stays so. */
const fewestToLast = 3;
const yearUs = 365.25 * 86_400e6;
const shortestUs = 86_400e6;

/** The 97.5 % point of a normal number. */
const z = 1.959964;

/**
 * Bounds of a Poisson count by Byar's approximation of the exact ones (Breslow & Day, "Statistical Methods in Cancer
 * Research", vol. 2, 1987, eq. 2.10); within one percent from one on.
 */
function boundCount(count: number): { low: number; high: number } {
  const bound = (events: number, sign: number): number =>
    events * (1 - 1 / (9 * events) + (sign * z) / (3 * Math.sqrt(events))) ** 3;
  return { low: count === 0 ? 0 : bound(count, -1), high: bound(count + 1, 1) };
}

interface Life {
  readonly spanUs: number;
  readonly verdicts: number;
  readonly alarms: number;
  readonly falseAlarms: number;
}

/** Follows a benchmark of a host: each regression from its first result to its last. */
function followOne(verdicts: readonly JudgedOnce[]): Life {
  const ordered = [...verdicts].sort((a, b) => a.time_us - b.time_us);
  let [alarms, falseAlarms, lasted, wasExplained] = [0, 0, 0, false];
  let said: Mark | undefined;
  const end = (isOver: boolean): void => {
    // What an upgrade brought and took away again was no false alarm.
    const wasBrief = isOver && lasted > 0 && lasted < fewestToLast && !wasExplained;
    if (said === "false" || (said === undefined && wasBrief)) falseAlarms++;
    [lasted, said] = [0, undefined];
  };
  for (const { verdict, cause, mark } of ordered) {
    if (verdict !== "regressed") {
      end(true);
      continue;
    }
    if (lasted === 0) [alarms, wasExplained] = [alarms + 1, cause === "environment"];
    lasted++;
    said = mark ?? said;
  }
  end(false);
  const spanUs = ordered.length < 2 ? 0 : ordered[ordered.length - 1].time_us - ordered[0].time_us;
  return { spanUs, verdicts: ordered.length, alarms, falseAlarms };
}

/**
 * Estimates how often benchmarks that did not change are called slower, from what became of regressions: one that was
 * over within two results, though nothing was upgraded, was false, unless somebody says otherwise. Of what still lasts
 * only what is said counts.
 * @param verdicts of benchmarks that had a baseline, in any order
 */
export function estimateErrorRate(verdicts: readonly JudgedOnce[]): ErrorRate {
  const series = new Map<string, JudgedOnce[]>();
  for (const each of verdicts) {
    const key = JSON.stringify([each.host, each.name]);
    const known = series.get(key);
    if (known === undefined) series.set(key, [each]);
    else known.push(each);
  }
  const lives = [...series.values()].map(followOne);
  const sum = (read: (life: Life) => number): number => lives.reduce((total, life) => total + read(life), 0);
  const [spanUs, alarms, false_alarms] = [
    sum((life) => life.spanUs),
    sum((life) => life.alarms),
    sum((life) => life.falseAlarms),
  ];
  const benchmark_years = spanUs / yearUs;
  const counts = { verdicts: verdicts.length, benchmark_years, alarms, false_alarms };
  if (spanUs < shortestUs) return { ...counts, per_year: null, low: null, high: null };
  const { low, high } = boundCount(false_alarms);
  return { ...counts, per_year: false_alarms / benchmark_years, low: low / benchmark_years, high: high / benchmark_years };
}

/** What the verdict before says of how careful the next must be. */
export interface FormerVerdict {
  readonly verdict: Verdict;
  readonly cause: string;
  /** Results in a row that were called slower, up to it. */
  readonly lasted?: number | undefined;
  /** By what share of the asked rate of false alarms the next result is judged. */
  readonly caution?: number | undefined;
}

/** What is learned with a verdict, for the one after it. */
export interface Learned {
  readonly lasted: number;
  readonly caution: number;
}

/** A false alarm halves the share of the rate by which a benchmark is judged; a year's worth without one doubles it. */
const learningRate = Math.LN2;
const leastCaution = 1 / 16;

/**
 * Learns from what became of the former verdicts: where results are called slower by chance more often than was asked,
 * for the tails of what they do are heavier than Student's, the following are held to less, until the rate is what
 * was asked. That is adaptive conformal inference (Gibbs & Candès, NeurIPS 2021, eq. 2), on a logarithmic scale, and
 * never above what was asked.
 * @param share of results that may be called slower by chance
 * @param mark what somebody has said of a former verdict since the one before this
 */
export function learnCaution(former: FormerVerdict | undefined, verdict: Verdict, share: number, mark?: Mark): Learned {
  const { lasted: before = 0, caution = 1, cause = "" } = former ?? {};
  const wasBrief = before > 0 && before < fewestToLast && verdict !== "regressed" && cause !== "environment";
  // What somebody says of a regression that is over was learned otherwise already.
  const isCorrected = mark === "true" && before === 0;
  const wrong = mark === undefined ? Number(wasBrief) : mark === "false" ? 1 : isCorrected ? -1 : 0;
  const learned = Math.log(caution) + learningRate * (share - wrong);
  return {
    // What was said of it is learned once: it counts as one that lasts from then on.
    lasted: verdict === "regressed" ? Math.max(before + 1, mark === undefined ? 0 : fewestToLast) : 0,
    caution: Math.min(1, Math.max(leastCaution, Math.exp(learned))),
  };
}

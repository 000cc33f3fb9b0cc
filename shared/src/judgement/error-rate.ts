import type { Verdict } from "./verdict.js";

/** What of a verdict tells how often verdicts are wrong. */
export interface JudgedOnce {
  readonly host: string;
  readonly name: string;
  readonly time_us: number;
  readonly verdict: Verdict;
  readonly cause: string;
}

/** How often benchmarks that did not change were called slower. */
export interface ErrorRate {
  /** Verdicts that had a baseline, and the years over which they were given, summed over benchmarks and hosts. */
  readonly verdicts: number;
  readonly benchmark_years: number;
  /** Regressions that began, and those of them that were over by themselves within two further results. */
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
  for (const { verdict, cause } of ordered) {
    if (verdict === "regressed") {
      if (lasted === 0) [alarms, wasExplained] = [alarms + 1, cause === "environment"];
      lasted++;
      continue;
    }
    // What an upgrade brought and took away again was no false alarm.
    if (lasted > 0 && lasted < fewestToLast && !wasExplained) falseAlarms++;
    lasted = 0;
  }
  const spanUs = ordered.length < 2 ? 0 : ordered[ordered.length - 1].time_us - ordered[0].time_us;
  return { spanUs, verdicts: ordered.length, alarms, falseAlarms };
}

/**
 * Estimates how often benchmarks that did not change are called slower, from what became of regressions: one that was
 * over within two results, though nothing was upgraded, was false. What still lasts is not counted.
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

import type { Result } from "../model/result.js";
import { type Baseline, type BaselineEntry, toBaseline } from "../model/result-file.js";
import { compareIntervals, type MedianInterval } from "../stats/intervals.js";
import { compareAmounts, compareOverheads, readSingle } from "./moved.js";
import { gradeSeverity, type Severity, severeMemory } from "./severity.js";
import { judgeChange, type Verdict } from "./verdict.js";

/** How one figure of a benchmark moved against a baseline. */
export interface Comparison {
  readonly name: string;
  /** `time` where nothing is processed that could be counted. */
  readonly metric: "throughput" | "overhead" | "memory" | "time";
  readonly before: number;
  readonly after: number;
  /** after / before − 1 in percent; for an overhead the difference in percentage points. */
  readonly change: number;
  /** 99 % interval of the change; null where nothing is known of how process runs differ. */
  readonly low: number | null;
  readonly high: number | null;
  readonly verdict: Verdict;
  readonly severity: Severity;
}

export interface ComparisonReport {
  readonly comparisons: readonly Comparison[];
  /** Benchmarks that only one side has. */
  readonly added: readonly string[];
  readonly missing: readonly string[];
  /** Benchmarks whose memory the baseline's tool measured in another way. */
  readonly otherMemory: readonly string[];
  /** The hardware classes, where the baseline is of another: times can't be compared then. */
  readonly otherHardware: { readonly before: string; readonly after: string } | null;
}

/** The bounds of a change's interval; null where nothing is known of how runs differ. */
function boundChange(low: number, high: number): Pick<Comparison, "low" | "high"> {
  return Number.isFinite(low) && Number.isFinite(high) ? { low, high } : { low: null, high: null };
}

/** Whether a result may be compared or kept as a baseline: its times settled. */
export function isSteady(result: Result): boolean {
  return result.steady_state !== "no_steady_state";
}

/** Whether two figures have a ratio: both positive, and neither so small that nothing can be divided by it. */
function isRatio(a: number, b: number): boolean {
  return a > 0 && b > 0 && Number.isFinite(a / b) && a / b > 0;
}

/** Times turn into throughput: half the time is twice the throughput, so the interval turns round too. */
function compareThroughput(result: Result, entry: BaselineEntry): Comparison | undefined {
  if (result.quantity !== "time" || entry.throughput === undefined || result.throughput <= 0) return undefined;
  const perIteration = result.throughput * result.median;
  const hasRatio =
    entry.result === undefined ? isRatio(perIteration, entry.throughput) : isRatio(result.median, entry.result.median);
  if (!hasRatio) return undefined;
  const times = compareAmounts(entry.result ?? readSingle(perIteration / entry.throughput), result);
  const toChange = (timeChange: number): number => 100 * (1 / (1 + timeChange) - 1);
  const [change, low, high] = [times.change, times.high, times.low].map(toChange);
  const verdict = isSteady(result) ? judgeChange(change, low, high, -1) : "not-steady";
  const figures = { before: entry.throughput, after: result.throughput, change, ...boundChange(low, high) };
  return { name: result.name, metric: "throughput", ...figures, verdict, severity: gradeSeverity(verdict, -change) };
}

function compareOverhead(result: Result, entry: BaselineEntry): Comparison | undefined {
  if (result.quantity !== "overhead" || entry.result === undefined) return undefined;
  const { low, high, ...moved } = compareOverheads(entry.result, result);
  const verdict = isSteady(result) ? judgeChange(moved.change, low, high, 1) : "not-steady";
  return {
    name: result.name,
    metric: "overhead",
    ...moved,
    ...boundChange(low, high),
    verdict,
    severity: gradeSeverity(verdict, moved.change),
  };
}

/**
 * The peaks of three processes lie apart from those of three others in one case of ten by chance, those of five in one
 * of a hundred.
 */
const fewestPeaks = 5;

/** From the lowest to the highest peak of the processes that were timed; other files hold the highest alone. */
function readPeak(peakMb: number, result: Result | undefined): MedianInterval {
  const lowest = result?.metadata.memory_peak_low_mb;
  return { median: peakMb, low: typeof lowest === "number" && lowest > 0 ? lowest : peakMb, high: peakMb };
}

/** Memory is called from a fifth on, and unchanged where its interval excludes as much. */
function judgeMemory(change: number, low: number, high: number): Verdict {
  if (change > severeMemory && low > 0) return "regressed";
  if (change < -severeMemory && high < 0) return "improved";
  return high < severeMemory && low > -severeMemory ? "unchanged" : "inconclusive";
}

/** Resident memory is ours; another suite's, such as a tracer's of the heap, is not to be compared with it. */
function isLikeMemory({ result }: BaselineEntry): boolean {
  return result !== undefined;
}

/** Memory that a benchmark measures as its quantity has an interval; the peak of processes that were timed a range. */
function compareMemory(result: Result, entry: BaselineEntry): Comparison | undefined {
  if (!isLikeMemory(entry)) return undefined;
  const isMeasured = result.quantity === "memory" && entry.result !== undefined;
  if (!isMeasured && entry.memoryPeakMb <= 0) return undefined;
  const moved = isMeasured
    ? compareAmounts(entry.result as Result, result)
    : compareIntervals(readPeak(entry.memoryPeakMb, entry.result), readPeak(result.memory_peak_mb, result), "relative");
  const change = 100 * moved.change;
  const [low, high] = [100 * moved.low, 100 * moved.high];
  const found = judgeMemory(change, low, high);
  const runs = Math.min(result.process_runs, entry.result?.process_runs ?? fewestPeaks);
  const isVague = !isMeasured && entry.result !== undefined && runs < fewestPeaks;
  const verdict = isVague && found !== "unchanged" ? "inconclusive" : found;
  const severity = verdict === "regressed" ? "medium" : "none";
  const interval = entry.result === undefined ? { low: null, high: null } : boundChange(low, high);
  return {
    name: result.name,
    metric: "memory",
    before: moved.before,
    after: moved.after,
    change,
    ...interval,
    verdict,
    severity,
  };
}

function compareTimes(result: Result, former: Result): Comparison | undefined {
  if (!isRatio(result.median, former.median)) return undefined;
  const times = compareAmounts(former, result);
  const [change, low, high] = [100 * times.change, 100 * times.low, 100 * times.high];
  const verdict = isSteady(result) ? judgeChange(change, low, high, 1) : "not-steady";
  const { before, after } = times;
  const figures = { before, after, change, ...boundChange(low, high) };
  return { name: result.name, metric: "time", ...figures, verdict, severity: gradeSeverity(verdict, change) };
}

/**
 * Compares what a benchmark is about, but for memory: what it processed in a second, its overhead, or, where nothing is
 * processed that could be counted, its time.
 */
function compareOwnFigure(result: Result, entry: BaselineEntry): Comparison | undefined {
  const found = compareThroughput(result, entry) ?? compareOverhead(result, entry);
  if (found !== undefined || result.quantity !== "time" || entry.result?.quantity !== "time") return found;
  return compareTimes(result, entry.result);
}

/** Times that have no ratio. */
function leaveOpen({ name, median: after }: Result, { median: before }: Result): Comparison {
  return { name, metric: "time", before, after, change: 0, low: null, high: null, verdict: "inconclusive", severity: "none" };
}

/** Compares a result with a former one of the same benchmark by the figure that the benchmark is about. */
export function compareFigure(result: Result, former: Result): Comparison {
  const [entry] = toBaseline([former]).entries;
  const found = entry === undefined ? [] : [compareThroughput(result, entry), compareOverhead(result, entry)];
  const memory = entry === undefined || result.quantity !== "memory" ? undefined : compareMemory(result, entry);
  const own = found.find((each) => each !== undefined) ?? memory ?? compareTimes(result, former);
  const comparison = own ?? leaveOpen(result, former);
  return result.hw_class === former.hw_class ? comparison : doubt(comparison);
}

/**
 * Compares results with a baseline, benchmark by benchmark of the same name: throughput or time, safety overhead, and
 * memory. A regression is medium from 10 % of throughput lost, or of time or points of overhead gained, and high from
 * 20 %; medium from 20 % of memory gained; and called only where the interval excludes no change.
 */
export function compareWithBaseline(results: readonly Result[], baseline: Baseline): ComparisonReport {
  const entries = new Map(baseline.entries.map((entry) => [entry.name, entry]));
  const names = new Set(results.map((result) => result.name));
  const [before, after] = [baseline.run?.hw_class, results[0]?.hw_class];
  const otherHardware = before === undefined || after === undefined || before === after ? null : { before, after };
  const comparisons = results.flatMap((result) => {
    const entry = entries.get(result.name);
    if (entry === undefined) return [];
    const found = [compareOwnFigure(result, entry), compareMemory(result, entry)];
    return found.filter((comparison) => comparison !== undefined).map((each) => (otherHardware === null ? each : doubt(each)));
  });
  return {
    comparisons,
    added: results.filter((result) => !entries.has(result.name)).map((result) => result.name),
    missing: baseline.entries.filter((entry) => !names.has(entry.name)).map((entry) => entry.name),
    otherMemory: results.flatMap(({ name }) => {
      const entry = entries.get(name);
      return entry === undefined || isLikeMemory(entry) ? [] : [name];
    }),
    otherHardware,
  };
}

/** A time or an overhead says nothing against one of other hardware; memory does. */
function doubt(comparison: Comparison): Comparison {
  return comparison.metric === "memory" ? comparison : { ...comparison, verdict: "inconclusive", severity: "none" };
}

/** Whether a comparison found something that should stop a release: a regression of medium or high severity. */
export function isFailure(report: ComparisonReport): boolean {
  return report.comparisons.some(({ severity }) => severity === "medium" || severity === "high");
}

/** How many figures of a comparison came out how; `missing` and `added` count benchmarks. */
export interface ComparisonCounts {
  readonly regressed: number;
  readonly improved: number;
  readonly unchanged: number;
  /** Too uncertain to say, or of work that never settled. */
  readonly undecided: number;
  readonly missing: number;
  readonly added: number;
}

export function countVerdicts({ comparisons, missing, added }: ComparisonReport): ComparisonCounts {
  const count = (...verdicts: Verdict[]): number => comparisons.filter(({ verdict }) => verdicts.includes(verdict)).length;
  return {
    regressed: count("regressed"),
    improved: count("improved"),
    unchanged: count("unchanged"),
    undecided: count("inconclusive", "not-steady"),
    missing: missing.length,
    added: added.length,
  };
}

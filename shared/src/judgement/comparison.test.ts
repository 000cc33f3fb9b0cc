import type { Result, Run } from "@fleetmark/shared/model/result";
import { parseBaseline, toBaseline } from "@fleetmark/shared/model/result-file";
import { describe, expect, it } from "vitest";
import { compareFigure, compareWithBaseline, countVerdicts, isFailure, isSteady } from "./comparison.js";

/** A result of a benchmark that takes `median` seconds, give or take a share. */
function makeResult(median: number, reach: number, more: Partial<Result> = {}): Result {
  const half = median * reach;
  return {
    name: "w js/cpu",
    category: "rl",
    duration: 1,
    memory_peak_mb: 50,
    memory_current_mb: 50,
    cpu_percent: 100,
    iterations: 100,
    throughput: 1 / median,
    metadata: {},
    benchmark: "w",
    params: "",
    runtime: "js",
    device: "cpu",
    suite: "s",
    run: "r",
    host: "h",
    hw_class: "c",
    time_us: 1,
    quantity: "time",
    unit: "s",
    throughput_unit: "calls/s",
    process_runs: 5,
    iterations_per_sample: 1,
    steady_state: "flat",
    conclusive: "yes",
    disturbance: "",
    n: 100,
    median,
    median_low: median - half,
    median_high: median + half,
    mean: median,
    trimmed_mean: median,
    p90: median,
    p95: median,
    p99: median,
    p999: median,
    min: median,
    max: median,
    stddev: 0,
    mad: 0,
    cv: 0,
    outliers_low: 0,
    outliers_high: 0,
    ...more,
  };
}

const compareTimes = (before: Result, after: Result) =>
  compareWithBaseline([after], toBaseline([before])).comparisons.find(({ metric }) => metric === "throughput");

describe("throughput", () => {
  it.each([
    [1.05, 0.005, "regressed", "low"],
    [1.15, 0.01, "regressed", "medium"],
    [1.3, 0.01, "regressed", "high"],
    [0.9, 0.005, "improved", "none"],
    [1, 0.005, "unchanged", "none"],
    [1.01, 0.0005, "unchanged", "none"],
    [1.15, 0.3, "inconclusive", "none"],
  ])("%d of the time with intervals of %d is %s, %s", (factor, reach, verdict, severity) => {
    expect(compareTimes(makeResult(1e-3, reach), makeResult(factor * 1e-3, reach))).toMatchObject({ verdict, severity });
  });

  it("changes by the inverse of the time, its interval around it", () => {
    const found = compareTimes(makeResult(1, 0.01), makeResult(2, 0.01));
    expect(found?.change).toBeCloseTo(-50, 5);
    expect(found?.low).toBeLessThan(-50);
    expect(found?.high).toBeGreaterThan(-50);
  });

  it("measured under disturbance is only called when it is far off", () => {
    const disturbed = (factor: number) => makeResult(factor, 0.01, { disturbance: "other processes used 1.5 cores" });
    expect(compareTimes(makeResult(1, 0.01), disturbed(1.4))).toMatchObject({ verdict: "inconclusive", severity: "none" });
    expect(compareTimes(disturbed(1.4), makeResult(1, 0.01))).toMatchObject({ verdict: "inconclusive" });
    expect(compareTimes(makeResult(1, 0.01), disturbed(4))).toMatchObject({ verdict: "regressed", severity: "high" });
  });

  it("of work that never settled is not judged", () => {
    const after = makeResult(2, 0.01, { steady_state: "no_steady_state" });
    expect(isSteady(after)).toBe(false);
    expect(compareTimes(makeResult(1, 0.01), after)).toMatchObject({ verdict: "not-steady", severity: "none" });
  });
});

describe("memory", () => {
  const compareMemory = (before: number, after: number) =>
    compareWithBaseline(
      [makeResult(1, 0.01, { memory_peak_mb: after })],
      toBaseline([makeResult(1, 0.01, { memory_peak_mb: before })]),
    ).comparisons.find(({ metric }) => metric === "memory");

  it("is a medium regression from 20 % more", () => {
    expect(compareMemory(100, 119)).toMatchObject({ verdict: "unchanged", severity: "none" });
    expect(compareMemory(100, 121)).toMatchObject({ verdict: "regressed", severity: "medium" });
    expect(compareMemory(100, 70)).toMatchObject({ verdict: "improved", severity: "none" });
  });

  it("of timed processes has moved only where the ranges of their peaks lie apart", () => {
    const withPeaks = (low: number, high: number): Result =>
      makeResult(1, 0.01, { memory_peak_mb: high, metadata: { memory_peak_low_mb: low } });
    const judge = (after: Result) =>
      compareWithBaseline([after], toBaseline([withPeaks(57, 60)])).comparisons.find(({ metric }) => metric === "memory");
    expect(judge(withPeaks(58, 61))).toMatchObject({ verdict: "unchanged" });
    expect(judge(withPeaks(55, 80))).toMatchObject({ verdict: "inconclusive" });
    expect(judge(withPeaks(78, 80))).toMatchObject({ verdict: "regressed", severity: "medium" });
    expect(judge({ ...withPeaks(78, 80), process_runs: 4 })).toMatchObject({ verdict: "inconclusive", severity: "none" });
  });
});

describe("what processes nothing that could be counted", () => {
  it("is compared by its time", () => {
    const compile = (median: number) => makeResult(median, 0.01, { throughput: 0, name: "jit_compile" });
    const { comparisons } = compareWithBaseline([compile(100)], toBaseline([compile(1)]));
    expect(comparisons.find(({ metric }) => metric === "time")).toMatchObject({
      verdict: "regressed",
      severity: "high",
      change: expect.closeTo(9900, 5),
    });
  });
});

describe("a report", () => {
  it("counts what was judged and what was not", () => {
    const make = (name: string, median: number, reach = 0.005) => makeResult(median, reach, { name });
    const before = [make("a", 1), make("b", 1), make("c", 1), make("gone", 1)];
    const after = [make("a", 2), make("b", 0.5), make("c", 1.15, 0.3), make("new", 1)];
    expect(countVerdicts(compareWithBaseline(after, toBaseline(before)))).toEqual({
      regressed: 1,
      improved: 1,
      unchanged: 3,
      undecided: 1,
      missing: 1,
      added: 1,
    });
  });

  it("fails on medium and high alone", () => {
    const judge = (factor: number) =>
      isFailure(compareWithBaseline([makeResult(factor, 0.005)], toBaseline([makeResult(1, 0.005)])));
    expect([1, 1.05, 1.15, 1.5].map(judge)).toEqual([false, false, true, true]);
  });

  it("names what only one side has", () => {
    const report = compareWithBaseline(
      [makeResult(1, 0.01, { name: "new" })],
      toBaseline([makeResult(1, 0.01, { name: "old" })]),
    );
    expect(report).toEqual({ comparisons: [], added: ["new"], missing: ["old"], otherMemory: [], otherHardware: null });
  });

  it("takes the throughput of the Python suite, whose memory is measured in another way", () => {
    const text = JSON.stringify({
      results: [
        {
          name: "w js/cpu",
          category: "rl",
          duration: 2,
          memory_peak_mb: 60,
          memory_current_mb: 50,
          cpu_percent: 99,
          iterations: 1000,
          throughput: 2000,
          metadata: {},
        },
      ],
    });
    const report = compareWithBaseline([makeResult(1e-3, 0.01)], parseBaseline(text, "old.json"));
    expect(report.comparisons).toMatchObject([
      { metric: "throughput", before: 2000, after: 1000, verdict: "regressed", severity: "high" },
    ]);
    expect(report.comparisons).toHaveLength(1);
    expect(report.otherMemory).toEqual(["w js/cpu"]);
  });

  it("skips figures that have no ratio", () => {
    const compare = (before: Result, after: Result) =>
      compareWithBaseline([after], toBaseline([before])).comparisons.filter(({ metric }) => metric !== "memory");
    const compile = (median: number) => makeResult(median, 0, { throughput: 0 });
    // The first call may come out faster than the steady one.
    expect(compare(compile(-1e-3), compile(1e-3))).toEqual([]);
    expect(compare(compile(1e-3), compile(0))).toEqual([]);
    expect(compareFigure(compile(-1e-3), compile(1e-3))).toMatchObject({ verdict: "inconclusive", low: null, high: null });
    const result = makeResult(1e-3, 0.01);
    expect(compare(makeResult(1e-3, 0.01, { throughput: 5e-324 }), result)).toMatchObject([{ metric: "throughput" }]);
    const plain = { results: [{ ...result, metadata: {}, throughput: 5e-324 }] };
    expect(compareWithBaseline([result], parseBaseline(JSON.stringify(plain), "old.json")).comparisons).toEqual([]);
  });

  it("judges no time against other hardware", () => {
    const run = { hw_class: "another" } as Run;
    const report = compareWithBaseline([makeResult(2, 0.01)], toBaseline([makeResult(1, 0.01)], run));
    expect(report.otherHardware).toEqual({ before: "another", after: "c" });
    expect(report.comparisons.find(({ metric }) => metric === "throughput")).toMatchObject({ verdict: "inconclusive" });
    expect(isFailure(report)).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import type { Result } from "../model/result.js";
import { compareFigure } from "./comparison.js";
import { compareKpis } from "./kpi-change.js";

const step = (median: number, more: Partial<Result> = {}): Result =>
  makeResult({
    name: "environment_step{env=E} js/cpu",
    category: "environment",
    benchmark: "environment_step",
    params: "env=E",
    median,
    median_low: median * 0.99,
    median_high: median * 1.01,
    throughput: 1 / median,
    ...more,
  });

describe("the change of a KPI", () => {
  it("is told in the KPI's own terms, with the verdict of the benchmark", () => {
    const [change] = compareKpis([step(2e-3)], [step(1e-3)]);
    expect(change).toMatchObject({
      kpi: "environment_step_time_ms",
      before: 1,
      after: 2,
      verdict: "regressed",
      severity: "high",
    });
    expect(change?.change).toBeCloseTo(100);
  });

  it("of an overhead is a difference in points", () => {
    const overhead = (median: number): Result =>
      step(median, { category: "safety", benchmark: "safety_overhead", params: "loop=policy", quantity: "overhead", unit: "%" });
    expect(compareKpis([overhead(30)], [overhead(10)])).toMatchObject([{ change: 20, verdict: "regressed" }]);
  });

  it("of a time without throughput is judged by the time", () => {
    const compile = (median: number): Result =>
      step(median, { category: "jax", benchmark: "jit_compile", params: "kernel=k", throughput: 0 });
    expect(compareKpis([compile(0.5)], [compile(1)])).toMatchObject([
      { kpi: "compilation_time_s", change: -50, verdict: "improved" },
    ]);
    expect(compareFigure(compile(0.5), compile(1)).metric).toBe("time");
  });

  it("is none where the run before lacks the benchmark that speaks now", () => {
    expect(compareKpis([step(1e-3)], [step(1e-3, { name: "another" })])).toEqual([]);
  });

  it("against other hardware is not judged", () => {
    expect(compareKpis([step(2e-3)], [step(1e-3, { hw_class: "other" })])).toMatchObject([{ verdict: "inconclusive" }]);
  });
});

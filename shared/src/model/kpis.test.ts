import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import { findKpis, judgeKpi, kpis, rateSeverity, readKpis } from "./kpis.js";
import type { Result } from "./result.js";

const result = makeResult();

function find(id: string) {
  return kpis.find((kpi) => kpi.id === id)!;
}

describe("judgeKpi", () => {
  it.each([
    ["environment_step_time_ms", [0.5, 1, 4.9, 5, 5.1], ["ok", "missed", "missed", "missed", "alert"]],
    ["training_throughput_steps_per_sec", [5000, 1000, 500, 100, 99], ["ok", "missed", "missed", "missed", "alert"]],
  ])("judges %s by its target and alert threshold", (id, values, statuses) => {
    expect(values.map((value) => judgeKpi(find(id), value))).toEqual(statuses);
  });
});

describe("readKpis", () => {
  const of = (readings: ReturnType<typeof readKpis>, id: string) => readings.find((reading) => reading.kpi === id)!;

  it("gives all KPIs in the catalogue's order, missing where nothing was measured", () => {
    const readings = readKpis([result]);
    expect(readings.map((reading) => reading.kpi)).toEqual(kpis.map((kpi) => kpi.id));
    expect(readings.filter((reading) => reading.status === "missing")).toHaveLength(kpis.length - 1);
  });

  it("takes the host's best runtime for the policy, in milliseconds with its interval", () => {
    const slower = { ...result, runtime: "tfjs-wasm", name: "slower", median: 1e-3, median_low: 9e-4, median_high: 2e-3 };
    const reading = of(readKpis([slower, result]), "policy_inference_time_ms");
    expect(reading).toMatchObject({ name: result.name, unit: "ms", status: "ok" });
    expect(reading.value).toBeCloseTo(0.05, 12);
    expect([reading.low, reading.high]).toEqual([expect.closeTo(0.049, 12), expect.closeTo(0.052, 12)]);
  });

  it("takes the worst environment for the step time", () => {
    const step = { ...result, category: "environment" as const, benchmark: "environment_step", params: "env=A" };
    const readings = readKpis([
      step,
      { ...step, params: "env=B", median: 6e-3, median_low: 5.9e-3, median_high: 6.1e-3, name: "the slow one" },
    ]);
    expect(of(readings, "environment_step_time_ms")).toMatchObject({ name: "the slow one", status: "alert" });
  });

  it("judges the safety layer by the bare step too, where a slow one does not hide behind the policy", () => {
    const safety = {
      ...result,
      category: "safety" as const,
      benchmark: "safety_overhead",
      quantity: "overhead" as const,
      unit: "%" as const,
    };
    const level = (params: string, percent: number) => ({
      ...safety,
      name: `safety_overhead{${params}} js/cpu`,
      params,
      median: percent,
      median_low: percent,
      median_high: percent,
    });
    const readings = readKpis([level("loop=policy", 2), level("loop=bare", 400)]);
    expect(of(readings, "safety_validation_overhead_percent")).toMatchObject({
      value: 400,
      status: "alert",
      name: "safety_overhead{loop=bare} js/cpu",
    });
  });

  it("says what training throughput is in updates", () => {
    const update = { ...result, benchmark: "td3_bc_update", params: "batch=256", throughput: 8000 };
    expect(of(readKpis([update]), "training_throughput_steps_per_sec").also).toBe("31.3 updates/s");
    expect(of(readKpis([result]), "policy_inference_time_ms").also).toBe("");
  });

  it("reads throughput from the results, with the interval of the time turned round", () => {
    const update = { ...result, benchmark: "td3_bc_update", params: "batch=256", throughput: 8000 };
    const reading = of(readKpis([update]), "training_throughput_steps_per_sec");
    expect(reading.value).toBe(8000);
    expect(reading.low!).toBeLessThan(8000);
    expect(reading.high!).toBeGreaterThan(8000);
  });

  it("rates every KPI alike: 1 at the target, 2 at the alert threshold, more on the bad side", () => {
    for (const kpi of kpis) {
      expect(rateSeverity(kpi, kpi.target)).toBe(1);
      expect(rateSeverity(kpi, kpi.alert)).toBe(2);
      expect(rateSeverity(kpi, kpi.better === "lower" ? kpi.alert * 2 : kpi.alert / 2)).toBeGreaterThan(2);
      expect(rateSeverity(kpi, kpi.better === "lower" ? kpi.target / 2 : kpi.target * 2)).toBeLessThan(1);
    }
  });

  it("is undecided where the interval lies on both sides of a line, or the work has no level, and says why", () => {
    const step = (low: number, median: number, high: number, more: Partial<Result> = {}) =>
      of(
        readKpis([
          makeResult({
            category: "environment",
            benchmark: "environment_step",
            median,
            median_low: low,
            median_high: high,
            ...more,
          }),
        ]),
        "environment_step_time_ms",
      );
    expect(step(0.8e-3, 0.9e-3, 0.99e-3)).toMatchObject({ status: "ok", reason: "" });
    expect(step(0.8e-3, 0.9e-3, 1.1e-3)).toMatchObject({ status: "undecided", reason: "wide" });
    expect(step(0.9e-3, 1.2e-3, 1.3e-3)).toMatchObject({ status: "undecided", reason: "wide" });
    expect(step(4e-3, 5.5e-3, 6e-3, { disturbance: "hypervisor took 9 % of a core" })).toMatchObject({
      status: "undecided",
      reason: "wide, disturbed: hypervisor took 9 % of a core",
    });
    expect(step(5.5e-3, 6e-3, 6.5e-3)).toMatchObject({ status: "alert", reason: "" });
    expect(step(0.1e-3, 0.1e-3, 0.1e-3, { steady_state: "no_steady_state" })).toMatchObject({
      status: "undecided",
      reason: "not steady",
    });
  });

  it("leaves batch 256 out of the policy KPI", () => {
    expect(findKpis({ ...result, params: "batch=256" })).toEqual([]);
  });
});

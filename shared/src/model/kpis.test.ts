import { describe, expect, it } from "vitest";
import { findKpi, judgeKpi, kpiPoint, kpis, rateSeverity, readKpis } from "./kpis.js";
import { pointToResult, pointToRun, type Result, type Run, resultToPoint, runToPoint, runWindowPoint } from "./result.js";

const result: Result = {
  name: "policy_forward{batch=1} jax-js/cpu",
  category: "rl",
  duration: 2,
  memory_peak_mb: 90,
  memory_current_mb: 80,
  cpu_percent: 99,
  iterations: 1000,
  throughput: 20_000,
  metadata: { hidden: 256, compiled: true, note: null, activation: "tanh" },
  benchmark: "policy_forward",
  params: "batch=1",
  runtime: "jax-js",
  device: "cpu",
  suite: "quick",
  run: "r1",
  host: "h1",
  hw_class: "c1",
  time_us: 1_700_000_000_000_000,
  quantity: "time",
  unit: "s",
  throughput_unit: "passes/s",
  process_runs: 2,
  iterations_per_sample: 10,
  steady_state: "flat",
  conclusive: "yes",
  disturbance: "",
  n: 100,
  median: 5e-5,
  median_low: 4.9e-5,
  median_high: 5.2e-5,
  mean: 5.1e-5,
  trimmed_mean: 5e-5,
  p90: 6e-5,
  p95: 6.5e-5,
  p99: 7e-5,
  p999: 9e-5,
  min: 4e-5,
  max: 1e-4,
  stddev: 1e-6,
  mad: 5e-7,
  cv: 0.02,
  outliers_low: 0,
  outliers_high: 3,
};

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
    const readings = readKpis([step, { ...step, params: "env=B", median: 6e-3, name: "the slow one" }]);
    expect(of(readings, "environment_step_time_ms")).toMatchObject({ name: "the slow one", status: "alert" });
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

  it("leaves batch 256 out of the policy KPI", () => {
    expect(findKpi({ ...result, params: "batch=256" })).toBeUndefined();
  });
});

describe("what is stored", () => {
  it("reads back whole as a result", () => {
    expect(pointToResult(resultToPoint(result))).toEqual(result);
  });

  it("reads back whole as a run", () => {
    const run: Run = {
      run: "r1",
      suite: "quick",
      host: "h1",
      hw_class: "c1",
      state: "finished",
      started_us: 1,
      time_us: 2,
      duration: 1e-6,
      total: 2,
      completed: 1,
      failures: [{ name: "b", error: "it broke" }],
      fingerprint: { kernel: "6.1", node: "20" },
    };
    expect(pointToRun(runToPoint(run))).toEqual(run);
  });

  it("gives the window of a run, whose environment changes with the fingerprint and not with its order", () => {
    const run: Run = {
      run: "r1",
      suite: "quick",
      host: "h1",
      hw_class: "c1",
      state: "finished",
      started_us: 1_000_000,
      time_us: 3_000_000,
      duration: 2,
      total: 2,
      completed: 1,
      failures: [],
      fingerprint: { kernel: "6.1", node: "20" },
    };
    const window = runWindowPoint(run);
    expect(window).toMatchObject({ measurement: "run_window", tags: { host: "h1" }, timeUs: 1_000_000 });
    expect(window.fields.ended_ms).toBe(3000);
    const environmentOf = (fingerprint: Run["fingerprint"]) => runWindowPoint({ ...run, fingerprint }).fields.environment;
    expect(environmentOf({ node: "20", kernel: "6.1" })).toBe(window.fields.environment);
    expect(environmentOf({ node: "20", kernel: "6.2" })).not.toBe(window.fields.environment);
  });

  it("is refused when it is not whole", () => {
    const { median: _median, ...fields } = resultToPoint(result).fields;
    expect(() => pointToResult({ ...resultToPoint(result), fields })).toThrow(expect.objectContaining({ code: "STORE_FAILED" }));
  });

  it("keeps run ids and free text out of the tags", () => {
    expect(Object.keys(resultToPoint(result).tags).sort()).toEqual(
      ["benchmark", "category", "device", "host", "hw_class", "params", "runtime", "suite"].sort(),
    );
    expect(kpiPoint(result)).toMatchObject({
      measurement: "kpi",
      tags: { kpi: "policy_inference_time_ms", host: "h1" },
      fields: { run: "r1" },
    });
    expect(kpiPoint({ ...result, benchmark: "other" })).toBeUndefined();
  });
});

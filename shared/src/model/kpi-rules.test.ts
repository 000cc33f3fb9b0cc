import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import { deriveKpis } from "../records/kpi.js";
import { buildKpiCatalogue, type KpiRule, kpiRuleSchema, kpiRulesSchema } from "./kpi-rules.js";
import { findKpis, kpis, readKpis } from "./kpis.js";

const step = makeResult({
  category: "environment",
  benchmark: "environment_step",
  params: "env=SteelAnnealing-v0",
  name: "environment_step{env=SteelAnnealing-v0} js/cpu",
  runtime: "js",
  unit: "s",
  median: 8e-6,
  median_low: 7.9e-6,
  median_high: 8.1e-6,
  throughput: 125_000,
  throughput_unit: "steps/s",
  steady_state: "flat",
  metadata: {},
});

const own = { id: "annealing_step", benchmark: "environment_step", unit: "us", target: 5, alert: 20 } as const;

const explain = (...rules: KpiRule[]): string[] =>
  buildKpiCatalogue(rules).faults.map(({ key, message }) => `${key}: ${message}`);

describe("rules of KPIs", () => {
  it("that are none leave the catalogue as it is", () => {
    expect(buildKpiCatalogue([])).toEqual({ catalogue: kpis, faults: [] });
  });

  it("change the thresholds of a known one, and what it is called", () => {
    const { catalogue } = buildKpiCatalogue([
      { id: "environment_step_time_ms", title: "Step", target: 0.005, alert: 0.05, for: 600 },
    ]);
    expect(catalogue.map(({ id }) => id)).toEqual(kpis.map(({ id }) => id));
    expect(readKpis([step], catalogue)[0]).toMatchObject({ title: "Step", target: 0.005, alert: 0.05, status: "missed" });
    expect(catalogue[0]).toMatchObject({ forS: 600, scale: 1e3 });
    expect(readKpis([step])[0]).toMatchObject({ target: 1, status: "ok" });
  });

  it("hold for the hosts and classes that they name, the first of them that does", () => {
    const { catalogue, faults } = buildKpiCatalogue([
      { id: "environment_step_time_ms", hosts: "edge-*", target: 0.001, alert: 0.002 },
      { id: "environment_step_time_ms", hw_class: "small_*", alert: 9 },
    ]);
    expect(faults).toEqual([]);
    const at = (host: string, hw_class: string) =>
      readKpis([{ ...step, host, hw_class }], catalogue).find(({ kpi }) => kpi === "environment_step_time_ms");
    expect(at("edge-1", "small_2c")).toMatchObject({ alert: 0.002, status: "alert" });
    expect(at("lab-1", "small_2c")).toMatchObject({ target: 1, alert: 9, status: "ok" });
    expect(at("lab-1", "large")).toMatchObject({ target: 1, alert: 5 });
  });

  it("make KPIs of one's own, beside those that the same result feeds", () => {
    const { catalogue } = buildKpiCatalogue([{ ...own, params: "env=SteelAnnealing-v0" }]);
    const derived = deriveKpis(step, catalogue);
    expect(derived.map(({ kpi }) => kpi)).toEqual(["environment_step_time_ms", "annealing_step"]);
    expect(derived[1]).toMatchObject({ value: expect.closeTo(8, 9), low: expect.closeTo(7.9, 9), status: "missed" });
    expect(deriveKpis({ ...step, params: "env=ChemicalReactor-v0" }, catalogue)).toHaveLength(1);
  });

  it.each([
    [
      { field: "throughput", unit: "steps/s", target: 200_000, alert: 100_000 },
      { value: 125_000, better: "higher", status: "missed" },
    ],
    [
      { field: "max", unit: "ms", target: 1, alert: 2 },
      { value: step.max * 1e3, better: "lower" },
    ],
    [
      { field: "memory_peak_mb", unit: undefined, target: 10_000, alert: 20_000 },
      { value: step.memory_peak_mb, unit: "MB", status: "ok" },
    ],
  ] as const)("read %o", (said, expected) => {
    const { catalogue, faults } = buildKpiCatalogue([{ ...own, ...said }]);
    expect(faults).toEqual([]);
    expect(readKpis([step], catalogue).at(-1)).toMatchObject(expected);
  });

  it("read p99 of single steps where these were timed", () => {
    const { catalogue } = buildKpiCatalogue([{ ...own, field: "p99" }]);
    const timed = { ...step, metadata: { single_p99_us: 19 } };
    expect(readKpis([timed], catalogue).at(-1)?.value).toBeCloseTo(19, 9);
  });

  it.each<[Partial<KpiRule>, RegExp]>([
    [{ benchmark: undefined }, /^benchmark: is needed/],
    [{ target: undefined }, /^target: is needed/],
    [{ unit: undefined }, /^unit: is needed/],
    [{ unit: "furlongs" }, /^unit: median is in ns, us, ms, s, %, MB, never in furlongs/],
    [{ field: "cpu_percent", unit: "ms" }, /^unit: cpu_percent is in %/],
    [{ target: 20, alert: 5 }, /^alert: the target \(20\) must lie under the alert threshold \(5\)/],
    [{ category: "gpu" }, /^category: can match nothing: environment_step is of the category environment/],
    [{ id: "environment_step_time_ms" }, /^benchmark: can't be changed of environment_step_time_ms/],
  ])("refuse what can't match: %o", (said, message) => {
    expect(explain({ ...own, ...said })).toEqual([expect.stringMatching(message)]);
  });

  it("refuse a rule behind one that takes all of its hosts, one that changes nothing, and two units of one KPI", () => {
    const change = { id: "environment_step_time_ms", alert: 9 } as const;
    expect(explain(change, { ...change, hosts: "a*" })).toEqual([expect.stringMatching(/^id: can never match/)]);
    expect(explain({ ...change, hosts: "a*" }, { ...change, hosts: "a*" })).toEqual([
      expect.stringMatching(/^id: can never match/),
    ]);
    expect(explain({ id: "environment_step_time_ms", hosts: "a*" })).toEqual([
      expect.stringMatching(/^id: the rule changes nothing/),
    ]);
    expect(explain({ ...own, hosts: "a*" }, { ...own, unit: "ms" })).toEqual([expect.stringMatching(/^unit: another rule/)]);
  });

  it("name the nearest KPI where one is mistyped", () => {
    expect(explain({ id: "environment_step_time", target: 1, alert: 2 })).toEqual([
      expect.stringMatching(/^benchmark: .*environment_step_time_ms/),
    ]);
  });

  it("tell the place of a fault in a configuration", () => {
    const parsed = kpiRulesSchema.safeParse([{ ...own }, { ...own, id: "other", unit: "parsec" }]);
    expect(parsed.error?.issues.map(({ path }) => path)).toEqual([[1, "unit"]]);
    expect(kpiRulesSchema.safeParse([{ ...own, threshold: 3 }]).success).toBe(false);
  });

  it("never throw, and each that is taken holds for some host", () => {
    const id = fc.constantFrom("environment_step_time_ms", "own", "training_throughput_steps_per_sec");
    const rule = fc.record(
      {
        id,
        target: fc.double({ noNaN: true, noDefaultInfinity: true }),
        alert: fc.double({ noNaN: true, noDefaultInfinity: true }),
        hosts: fc.constantFrom("a*", "b", "*"),
        benchmark: fc.constantFrom("environment_step", "other"),
        unit: fc.constantFrom("ms", "steps/s", "MB"),
        field: fc.constantFrom("median", "throughput", "memory_peak_mb"),
        better: fc.constantFrom("lower", "higher"),
      },
      { requiredKeys: ["id"] },
    );
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), (written) => {
        const rules = written.map((each) => kpiRuleSchema.parse(each));
        const { catalogue, faults } = buildKpiCatalogue(rules);
        expect(new Set(faults.map(({ index }) => index)).size).toBe(faults.length);
        for (const each of findKpis(step, catalogue))
          expect(Number.isFinite(readKpis([step], catalogue).find(({ kpi }) => kpi === each.id)?.value)).toBe(true);
        expect(kpis.every((known) => catalogue.some((each) => each.id === known.id))).toBe(true);
      }),
    );
  });
});

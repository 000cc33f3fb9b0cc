import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import { drawTrends, type TrendChart } from "./trend-chart.js";
import { layOutCourse } from "./trend-course.js";

const dayUs = 86_400e6;
const startUs = 1_700_000_000e6;

/** A result a day; what is slower from some day on is slower by a fifth. */
const makeDays = (days: number, slowFrom = days) =>
  Array.from({ length: days }, (_, day) => {
    const median = 1e-3 * (1 + 0.004 * (((day * 7) % 5) - 2)) * (day < slowFrom ? 1 : 1.2);
    const times = { median, median_low: median * 0.99, median_high: median * 1.01 };
    return makeResult({ ...times, run: `r${day}`, time_us: startUs + day * dayUs, process_runs: 6, run_spread: 0.004 });
  });

describe("the course of a benchmark", () => {
  it("has its baseline, the day on which its level changed, and what was upgraded", () => {
    const environments = new Map(makeDays(40).map(({ run }, day) => [run, { kernel: day < 10 ? "6.1" : "6.2" }]));
    const course = layOutCourse(makeDays(40, 25), environments);
    expect(course?.changes).toEqual([25]);
    expect(course?.environments).toEqual([{ index: 10, what: "kernel 6.1 -> 6.2" }]);
    expect(course?.baseline?.level).toBeCloseTo(1e-3, 5);
    expect(course?.points).toHaveLength(40);
  });

  it("of less than two settled results is none", () => {
    expect(layOutCourse(makeDays(1), new Map())).toBeUndefined();
    expect(
      layOutCourse(
        makeDays(9).map((day) => ({ ...day, steady_state: "no_steady_state" as const })),
        new Map(),
      ),
    ).toBeUndefined();
  });
});

describe("its picture", () => {
  it("marks what changed, and says what was upgraded", () => {
    const course = layOutCourse(
      makeDays(40, 25),
      new Map([
        ["r9", { kernel: "1" }],
        ["r10", { kernel: "2" }],
      ]),
    ) as TrendChart;
    const svg = drawTrends([course, course]);
    expect(svg.match(/<line class="change"/g)).toHaveLength(2);
    expect(svg).toContain("<title>kernel 1 -&gt; 2</title>");
    expect(svg.match(/<circle/g)).toHaveLength(80);
  });

  it("is whole whatever names, times and values there are", () => {
    const value = fc.oneof(fc.double({ min: 1e-12, max: 1e12, noNaN: true }), fc.constant(1));
    const point = fc.record({ timeUs: fc.integer({ min: 0, max: 4e15 }), value, low: value, high: value });
    const chart = fc.record({
      title: fc.string({ unit: "binary" }),
      note: fc.string(),
      unit: fc.constantFrom("s", "%", "MB"),
      points: fc.array(point, { minLength: 1, maxLength: 20 }),
      baseline: fc.option(fc.record({ level: value, low: value, high: value }), { nil: undefined }),
      changes: fc.array(fc.nat(30), { maxLength: 3 }),
      environments: fc.array(fc.record({ index: fc.nat(30), what: fc.string({ unit: "binary" }) }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(chart as fc.Arbitrary<TrendChart>, { maxLength: 3 }), (charts) => {
        const svg = drawTrends(charts);
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        const names = [...svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)].filter(([, , , isWhole]) => isWhole === "");
        const open: (string | undefined)[] = [];
        for (const [, isEnd, name] of names) isEnd === "" ? open.push(name) : expect(open.pop()).toBe(name);
        expect(open).toEqual([]);
      }),
    );
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { simulateRuns } from "../../test/simulation.js";
import { compareIntervals, compareSamples } from "./compare.js";

test("a change of 5 % is measured as such", () => {
  const before = simulateRuns(1, 5, 100, 0.3, 1);
  const after = simulateRuns(2, 5, 100, 0.3, 1).map((run) => run.map((value) => 1.05 * value));
  const change = compareSamples(before, after, { seed: 1, scale: "relative" });
  expect(change.low).toBeGreaterThan(0.03);
  expect(change.high).toBeLessThan(0.07);
  expect(change.change).toBeCloseTo(change.after / change.before - 1, 10);
});

test("samples of one kind are told apart hardly oftener than one time in twenty, whatever the runs differ by", () => {
  for (const between of [0, 1, 3]) {
    const called = Array.from({ length: 200 }, (_, seed) => {
      const [before, after] = [simulateRuns(2 * seed, 4, 30, between, 1), simulateRuns(2 * seed + 1, 4, 30, between, 1)];
      const { low, high } = compareSamples(before, after, { seed, scale: "relative", resamples: 200 });
      return low > 0 || high < 0;
    });
    expect(called.filter(Boolean).length).toBeLessThanOrEqual(20);
  }
});

test("before and after exchanged give the opposite change", () => {
  const [a, b] = [simulateRuns(5, 3, 20, 1, 1), simulateRuns(6, 3, 20, 1, 1)];
  const there = compareSamples(a, b, { seed: 1, scale: "absolute" });
  const back = compareSamples(b, a, { seed: 1, scale: "absolute" });
  expect(back.change).toBeCloseTo(-there.change, 10);
  expect(back.low).toBeCloseTo(-there.high, 0);
});

test("a relative change of what may be zero is refused", () => {
  expect(() => compareSamples([[0, 1]], [[1, 1]], { seed: 1, scale: "relative" })).toThrow(RangeError);
  const zero = { median: 0, low: 0, high: 1 };
  expect(() => compareIntervals(zero, zero, "relative")).toThrow(RangeError);
});

test("intervals of ±3 and ±4 give a difference of ±5", () => {
  const change = compareIntervals({ median: 10, low: 7, high: 13 }, { median: 20, low: 16, high: 24 }, "absolute");
  expect(change).toEqual({ before: 10, after: 20, change: 10, low: 5, high: 15 });
});

test("the interval of a change holds the change, and is that of the after where the before is exact", () => {
  const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(positive, positive, fc.double({ min: 0.01, max: 0.9, noNaN: true }), (before, after, spread) => {
      const exact = { median: before, low: before, high: before };
      const wide = { median: after, low: after * (1 - spread), high: after * (1 + spread) };
      const change = compareIntervals(exact, wide, "relative");
      expect(change.low).toBeLessThanOrEqual(change.change);
      expect(change.high).toBeGreaterThanOrEqual(change.change);
      expect(change.low).toBeCloseTo(wide.low / before - 1, 6);
    }),
  );
});

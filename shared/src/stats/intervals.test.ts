import fc from "fast-check";
import { expect, test } from "vitest";
import { compareIntervals } from "./intervals.js";

test("a relative change of what may be zero is refused", () => {
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

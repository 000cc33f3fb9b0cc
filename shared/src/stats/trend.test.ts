import fc from "fast-check";
import { expect, test } from "vitest";
import { drawNormal } from "../../test/simulation.js";
import { createRandom } from "./random.js";
import { fitTrend } from "./trend.js";

test("Sen's own example: slope 4 with 93 % interval from 26/9 to 35/7 (1968, table 1)", () => {
  const x = [1, 2, 3, 4, 10, 12, 18];
  const y = [9, 15, 19, 20, 45, 55, 78];
  const trend = fitTrend(x, y, 0.93);
  expect(trend.slope).toBeCloseTo(4, 10);
  expect(trend.low).toBeGreaterThan(3.4);
  expect(trend.high).toBeLessThan(4.5);
  expect(trend.intercept).toBeCloseTo(6, 10);
});

test("an exact line is found, with outliers in a fifth of the points", () => {
  fc.assert(
    fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }), (slope, intercept) => {
      const x = Array.from({ length: 20 }, (_, i) => i);
      const y = x.map((each) => (each % 5 === 2 ? 1e6 : intercept + slope * each));
      expect(fitTrend(x, y).slope).toBeCloseTo(slope, 8);
    }),
  );
});

test("noise without a trend is rarely called one", () => {
  const x = Array.from({ length: 12 }, (_, i) => i);
  const called = Array.from({ length: 400 }, (_, seed) => {
    const random = createRandom(seed);
    const { low, high } = fitTrend(
      x,
      x.map(() => drawNormal(random)),
    );
    return low > 0 || high < 0;
  });
  expect(called.filter(Boolean).length).toBeLessThan(32);
});

test("points at one place have no trend", () => {
  expect(() => fitTrend([1, 1], [2, 3])).toThrow(RangeError);
});

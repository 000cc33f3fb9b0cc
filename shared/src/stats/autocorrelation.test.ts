import fc from "fast-check";
import { expect, test } from "vitest";
import { simulateAr1 } from "../../test/simulation.js";
import { isAutocorrelated, rankAutocorrelation, rankValues } from "./autocorrelation.js";

test("tied values share their mean rank", () => {
  expect([...rankValues([10, 20, 10, 30])]).toEqual([0.5, 2, 0.5, 3]);
});

test("ranks sum to n(n − 1)/2", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1 }), (values) => {
      expect(rankValues(values).reduce((a, b) => a + b, 0)).toBeCloseTo((values.length * (values.length - 1)) / 2, 6);
    }),
  );
});

test("of 1, 2, 3, 4, 5 by hand: 4/10", () => {
  expect(rankAutocorrelation([1, 2, 3, 4, 5])).toBeCloseTo(0.4, 12);
});

test("dependence is seen through outliers, independence is not called dependence", () => {
  const dependent = simulateAr1(1, 500, 0.6);
  dependent[100] = 1e6;
  expect(rankAutocorrelation(dependent)).toBeGreaterThan(0.45);
  const called = Array.from({ length: 200 }, (_, seed) => isAutocorrelated(rankAutocorrelation(simulateAr1(seed, 100, 0)), 100));
  expect(called.filter(Boolean).length).toBeLessThan(20);
});

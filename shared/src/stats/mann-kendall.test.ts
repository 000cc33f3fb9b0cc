import { expect, test } from "vitest";
import { simulateAr1 } from "../../test/simulation.js";
import { testTrend } from "./mann-kendall.js";

test("a line rises, whatever its slope, and falls when it is turned", () => {
  const line = Array.from({ length: 12 }, (_, i) => 3 * i);
  expect(testTrend(line)).toMatchObject({ tau: 1, inflation: 1 });
  expect(testTrend(line).p).toBeLessThan(1e-4);
  expect(testTrend([...line].reverse()).tau).toBe(-1);
});

test("ten values of which four pairs are out of order have the τ and p of a count by hand", () => {
  // Pairs out of order: 5-3, 5-4, 8-7, 12-11; S = 45 - 2 * 4 = 37, var = 125, z = 36 / 11.18.
  const { tau, p } = testTrend([5, 3, 4, 6, 8, 7, 9, 10, 12, 11]);
  expect(tau).toBeCloseTo(37 / 45, 12);
  expect(p).toBeCloseTo(0.00128, 4);
});

test("equal or few values have none", () => {
  expect(testTrend(new Array<number>(10).fill(2))).toMatchObject({ tau: 0, p: 1 });
  expect(testTrend([1, 2, 3])).toEqual({ tau: 0, p: 1, inflation: 1 });
});

test("noise is seldom called a trend, also where it hangs together", () => {
  const count = (correlation: number): number =>
    Array.from({ length: 300 }, (_, seed) => testTrend(simulateAr1(seed, 60, correlation)).p < 0.05).filter(Boolean).length;
  expect(count(0)).toBeLessThanOrEqual(27);
  // Uncorrected it would be 140 of 300.
  expect(count(0.6)).toBeLessThanOrEqual(60);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { medianAbsoluteDeviation, trimmedMean, tukeyFences } from "./robust.js";
import { summarize } from "./summary.js";

test("a summary of known numbers, worked out by hand", () => {
  const summary = summarize([3, 1, 2, 4, 5, 6, 7, 8, 9, 100]);
  expect(summary).toMatchObject({ n: 10, median: 5.5, mean: 14.5, trimmed_mean: 5.5, min: 1, max: 100, mad: 2.5 });
  // Squared deviations: Σx² − n·mean² = 10285 − 2102.5.
  expect(summary.stddev).toBeCloseTo(Math.sqrt(8182.5 / 9), 10);
  expect(summary.cv).toBeCloseTo(summary.stddev / 14.5, 12);
  expect([summary.outliers_low, summary.outliers_high]).toEqual([0, 1]);
});

test("Tukey's fences of 1 … 9 lie 1.5 interquartile ranges out", () => {
  expect(tukeyFences([1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual({ low: -3, high: 13 });
});

test("a single sample has no spread", () => {
  expect(summarize([7])).toMatchObject({ n: 1, median: 7, stddev: 0, mad: 0, cv: 0, p999: 7 });
});

const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 5, maxLength: 80 });

test("shifting the samples shifts every location and leaves every spread", () => {
  fc.assert(
    fc.property(values, fc.integer({ min: -500, max: 500 }), (list, shift) => {
      const [a, b] = [summarize(list), summarize(list.map((value) => value + shift))];
      for (const key of ["median", "mean", "trimmed_mean", "p90", "p99", "min", "max"] as const) {
        expect(b[key]).toBeCloseTo(a[key] + shift, 8);
      }
      expect([b.stddev, b.mad, b.outliers_low, b.outliers_high]).toEqual([
        expect.closeTo(a.stddev, 8),
        expect.closeTo(a.mad, 8),
        a.outliers_low,
        a.outliers_high,
      ]);
    }),
  );
});

test("up to a tenth of wild samples moves neither trimmed mean nor MAD far", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 20, maxLength: 20 }), (list) => {
      const wild = [...list.slice(2), 1e9, -1e9].sort((x, y) => x - y);
      expect(Math.abs(trimmedMean(wild, 0.1))).toBeLessThanOrEqual(100);
      expect(medianAbsoluteDeviation(wild)).toBeLessThanOrEqual(100);
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { simulateAr1, simulateRuns } from "../../test/simulation.js";
import { bootstrapMedian, chooseBlockLength } from "./bootstrap.js";
import { median } from "./quantiles.js";

const run = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });

test("the interval holds the median, is reproducible and moves with the samples", () => {
  fc.assert(
    fc.property(run, fc.integer({ min: 1, max: 1000 }), (samples, seed) => {
      const options = { seed, resamples: 100 };
      const interval = bootstrapMedian(samples, options);
      expect(interval.median).toBe(median(samples));
      expect(interval.low).toBeLessThanOrEqual(interval.median);
      expect(interval.high).toBeGreaterThanOrEqual(interval.median);
      expect(interval.low).toBeGreaterThanOrEqual(Math.min(...samples));
      expect(interval.high).toBeLessThanOrEqual(Math.max(...samples));
      expect(bootstrapMedian(samples, options)).toEqual(interval);
      const doubled = bootstrapMedian(
        samples.map((value) => 2 * value),
        options,
      );
      expect(doubled.low).toBeCloseTo(2 * interval.low, 4);
    }),
    { numRuns: 50 },
  );
  expect(() => bootstrapMedian([], { seed: 1 })).toThrow(RangeError);
});

test("an interval at 95 % holds the true median of a run about 19 times of 20", () => {
  const held = Array.from({ length: 400 }, (_, seed) => {
    const { low, high } = bootstrapMedian(simulateRuns(seed, 1, 60, 0, 1)[0], { seed, resamples: 200 });
    return low <= 100 && high >= 100;
  });
  expect(held.filter(Boolean).length).toBeGreaterThanOrEqual(360);
  expect(held.filter(Boolean).length).toBeLessThan(396);
});

test("blocks are drawn where samples depend on their neighbours, and widen the interval", () => {
  const waves = simulateAr1(3, 400, 0.9);
  const shuffled = [...waves].sort((a, b) => Math.sin(1e6 * a) - Math.sin(1e6 * b));
  expect(chooseBlockLength(waves)).toBeGreaterThan(10);
  expect(chooseBlockLength(shuffled)).toBe(1);
  const width = (samples: number[]): number => {
    const { low, high } = bootstrapMedian(samples, { seed: 1 });
    return high - low;
  };
  expect(width(waves)).toBeGreaterThan(2 * width(shuffled));
});

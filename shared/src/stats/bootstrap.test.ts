import fc from "fast-check";
import { expect, test } from "vitest";
import { simulateAr1, simulateRuns } from "../../test/simulation.js";
import { bootstrapMedian, chooseBlockLength, medianOfRuns, resampleMedians, widenForFewRuns } from "./bootstrap.js";
import { median } from "./quantiles.js";
import { createRandom } from "./random.js";

const runs = fc.array(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 5,
});

test("the interval holds the median, is reproducible and moves with the samples", () => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 1000 }), (samples, seed) => {
      const options = { seed, resamples: 100 };
      const interval = bootstrapMedian(samples, options);
      expect(interval.median).toBe(medianOfRuns(samples));
      expect(interval.low).toBeLessThanOrEqual(interval.median);
      expect(interval.high).toBeGreaterThanOrEqual(interval.median);
      expect(bootstrapMedian(samples, options)).toEqual(interval);
      const doubled = bootstrapMedian(
        samples.map((run) => run.map((value) => 2 * value)),
        options,
      );
      expect(doubled.low).toBeCloseTo(2 * interval.low, 4);
    }),
    { numRuns: 50 },
  );
});

test("the median of runs of one length is that of all samples, and a run's length does not give it weight", () => {
  const number = fc.integer({ min: -1000, max: 1000 });
  const equal = fc.integer({ min: 1, max: 9 }).chain((length) => {
    return fc.array(fc.array(number, { minLength: length, maxLength: length }), { minLength: 1, maxLength: 5 });
  });
  fc.assert(
    fc.property(equal, (samples) => {
      expect(medianOfRuns(samples)).toBe(median(samples.flat()));
    }),
  );
  const unequal = fc.array(fc.array(number, { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(unequal, fc.nat(), (samples, which) => {
      const longer = samples.map((run, i) =>
        i === which % samples.length ? run.flatMap((value) => [value, value, value]) : run,
      );
      expect(medianOfRuns(longer)).toBe(medianOfRuns(samples));
    }),
  );
  expect(medianOfRuns([[1, 1, 1, 1, 1, 1], [5], [5]])).toBe(5);
  expect(() => medianOfRuns([[]])).toThrow(RangeError);
});

test("on the relative scale an interval of positive samples stays over zero, and moves with their unit", () => {
  const positive = fc.array(fc.array(fc.double({ min: 1e-6, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 20 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(positive, fc.integer({ min: 1, max: 1000 }), (samples, seed) => {
      const options = { seed, resamples: 100, scale: "relative" } as const;
      const interval = bootstrapMedian(samples, options);
      expect(interval.low).toBeGreaterThan(0);
      expect(interval.low).toBeLessThanOrEqual(interval.median);
      expect(interval.high).toBeGreaterThanOrEqual(interval.median);
      const inMilli = bootstrapMedian(
        samples.map((run) => run.map((value) => 1024 * value)),
        options,
      );
      expect(inMilli.high / interval.high).toBeCloseTo(1024, 6);
    }),
    { numRuns: 50 },
  );
  expect(() => bootstrapMedian([[1, 0]], { seed: 1, scale: "relative" })).toThrow(RangeError);
});

test("a resampled median is one of the samples or between two", () => {
  const medians = resampleMedians([[1, 2, 3], [10]], createRandom(1), 200);
  expect([...medians].every((value) => value >= 1 && value <= 10)).toBe(true);
  expect(new Set(medians).size).toBeGreaterThan(3);
});

test("an interval at 95 % holds the true median about 19 times of 20, with few runs and many samples too", () => {
  const holds = (seed: number, count: number, between: number): boolean => {
    const { low, high } = bootstrapMedian(simulateRuns(seed, count, 30, between, 1), { seed, resamples: 200 });
    return low <= 100 && high >= 100;
  };
  for (const [count, between] of [
    [3, 2],
    [5, 2],
    [10, 0],
  ]) {
    const held = Array.from({ length: 200 }, (_, seed) => holds(seed, count, between)).filter(Boolean).length;
    expect(held).toBeGreaterThanOrEqual(180);
  }
});

test("blocks are drawn where samples depend on their neighbours, and widen the interval", () => {
  const waves = simulateAr1(3, 400, 0.9);
  const shuffled = [...waves].sort((a, b) => Math.sin(1e6 * a) - Math.sin(1e6 * b));
  expect(chooseBlockLength(waves)).toBeGreaterThan(10);
  expect(chooseBlockLength(shuffled)).toBe(1);
  const width = (samples: number[]): number => {
    const { low, high } = bootstrapMedian([samples], { seed: 1 });
    return high - low;
  };
  expect(width(waves)).toBeGreaterThan(2 * width(shuffled));
});

test("few runs widen the interval by Student's t: 1.2247 · 4.3027 / 1.9600 for three", () => {
  expect(widenForFewRuns(3, 0.95)).toBeCloseTo(2.6886, 3);
  expect(widenForFewRuns(1, 0.95)).toBe(1);
  expect(widenForFewRuns(1000, 0.95)).toBeCloseTo(1, 2);
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareLevels,
  countRunsNeeded,
  estimateLevel,
  estimateStagedLevel,
  measureSpread,
  placeLevel,
  poolSpreads,
  unknownSpread,
} from "./levels.js";

const medians = (smallest: number) =>
  fc.array(fc.double({ min: smallest, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 12 });

describe("a level", () => {
  it("has the interval of Student's t over the runs' medians", () => {
    // Mean 10, standard deviation 1; t of 2 degrees of freedom at 97.5 % is 4.302653.
    const { median, low, high } = placeLevel(estimateLevel([9, 10, 11], "absolute"));
    expect(median).toBe(10);
    expect(high - median).toBeCloseTo(4.302653 / Math.sqrt(3), 5);
    expect(median - low).toBeCloseTo(4.302653 / Math.sqrt(3), 5);
  });

  it("of times is their geometric mean, and its interval a factor either way", () => {
    const { median, low, high } = placeLevel(estimateLevel([1, 4], "relative"));
    expect(median).toBeCloseTo(2);
    expect(median / low).toBeCloseTo(high / median);
  });

  it("of one run is not known, unless the history of the host says how runs differ", () => {
    expect(placeLevel(estimateLevel([5], "absolute"))).toEqual({
      median: 5,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
    });
    const known = placeLevel(estimateLevel([5], "absolute", { variance: 1, degrees: 20 }));
    // t of 20 degrees of freedom at 97.5 %.
    expect(known.high).toBeCloseTo(5 + 2.085963, 5);
  });

  it("is never held to be exact", () => {
    const { low, high } = placeLevel(estimateLevel([3, 3, 3, 3, 3, 3], "relative"));
    expect(high / low).toBeGreaterThan(1.001);
  });

  it("is narrower with a history that fits, and keeps to its own runs where that does not fit", () => {
    const runs = [0.98, 1, 1.02];
    const seen = measureSpread(runs, "relative");
    const alone = placeLevel(estimateLevel(runs, "relative"));
    const fitting = placeLevel(estimateLevel(runs, "relative", { ...seen, degrees: 20 }));
    const foreign = placeLevel(estimateLevel(runs, "relative", { variance: seen.variance / 100, degrees: 20 }));
    expect(fitting.high / fitting.low).toBeLessThan(alone.high / alone.low);
    expect(foreign).toEqual(alone);
  });

  it("spreads at least as the runs that decided how many there are", () => {
    const staged = estimateStagedLevel([1, 1.1, 0.9, 1, 1, 1, 1, 1], 3, "relative", unknownSpread);
    expect(staged.spread.variance).toBe(measureSpread([1, 1.1, 0.9], "relative").variance);
    expect(staged.spread.degrees).toBe(7);
  });

  it("holds its own median, whatever the runs are", () => {
    fc.assert(
      fc.property(medians(1e-9), fc.constantFrom("relative", "absolute"), (runs, scale) => {
        const { median, low, high } = placeLevel(estimateLevel(runs, scale as "relative"));
        expect(low).toBeLessThanOrEqual(median);
        expect(high).toBeGreaterThanOrEqual(median);
        expect(median).toBeGreaterThanOrEqual(Math.min(...runs) * (1 - 1e-9));
        expect(median).toBeLessThanOrEqual(Math.max(...runs) * (1 + 1e-9));
      }),
    );
  });

  it("refuses what has no logarithm, and no runs at all", () => {
    expect(() => estimateLevel([1, 0], "relative")).toThrow(RangeError);
    expect(() => estimateLevel([], "absolute")).toThrow(RangeError);
  });
});

describe("the second stage", () => {
  it("needs as many runs as Stein's rule says", () => {
    const level = estimateLevel([9, 10, 11], "absolute");
    expect(countRunsNeeded(level, 1)).toBe(Math.ceil(4.302653 ** 2));
    expect(countRunsNeeded(level, 100)).toBe(1);
    expect(countRunsNeeded(estimateLevel([5], "absolute"), 1)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("spreads", () => {
  it("are joined by their degrees of freedom, which count up to a most", () => {
    expect(
      poolSpreads([
        { variance: 1, degrees: 1 },
        { variance: 4, degrees: 2 },
      ]),
    ).toEqual({ variance: 3, degrees: 3 });
    expect(poolSpreads([{ variance: 1, degrees: 50 }], 20)).toEqual({ variance: 1, degrees: 20 });
    expect(poolSpreads([])).toEqual(unknownSpread);
  });
});

describe("two levels", () => {
  it("are compared by the pooled t where they spread alike", () => {
    const change = compareLevels(estimateLevel([9, 10, 11], "absolute"), estimateLevel([11, 12, 13], "absolute"), 0.95);
    // t of 4 degrees of freedom at 97.5 %, times √(2 / 3).
    expect(change).toMatchObject({ before: 10, after: 12, change: 2 });
    expect(change.high - 2).toBeCloseTo(2.776445 * Math.sqrt(2 / 3), 5);
  });

  it("are compared by Welch's t where they do not", () => {
    const change = compareLevels(estimateLevel([9.9, 10, 10.1], "absolute"), estimateLevel([2, 12, 22], "absolute"), 0.95);
    // The wide side decides, with its two degrees of freedom.
    expect(change.high - 2).toBeCloseTo(4.302653 * (10 / Math.sqrt(3)), 0);
  });

  it("turn round when they change places", () => {
    fc.assert(
      fc.property(medians(-1e6), medians(-1e6), (a, b) => {
        const [before, after] = [a, b].map((runs) => estimateLevel(runs, "absolute"));
        const [there, back] = [compareLevels(before, after, 0.99), compareLevels(after, before, 0.99)];
        expect(there.change).toBe(-back.change);
        expect(there.low).toBeCloseTo(-back.high, 3);
      }),
    );
  });

  it("lend each other what only one of them knows, and are open to both sides where neither knows anything", () => {
    const [one, many] = [estimateLevel([10], "absolute"), estimateLevel([9, 10, 11], "absolute")];
    expect(compareLevels(one, many, 0.95).high).toBeCloseTo(4.302653 * Math.sqrt(1 + 1 / 3), 5);
    expect(compareLevels(one, one, 0.95)).toMatchObject({ low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
  });
});

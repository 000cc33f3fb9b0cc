import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawNormal, simulateAr1 } from "../../../test/simulation.js";
import { createRandom } from "../random.js";
import { estimateAutoregression } from "./autoregression.js";
import { findSeason } from "./seasons.js";
import { detectSeriesChanges } from "./series-changes.js";
import { findSteps } from "./step-search.js";

const average = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

describe("the noise of a series", () => {
  it.each([0, 0.3, 0.6, 0.8])("hangs together by %d, and hardly more where its level steps", (correlation) => {
    const measure = (step: number): number =>
      average(
        Array.from({ length: 100 }, (_, seed) => {
          const values = simulateAr1(seed, 200, correlation).map((value, i) => value + (i < 90 ? 0 : step));
          return estimateAutoregression(values).correlation;
        }),
      );
    expect(Math.abs(measure(0) - correlation)).toBeLessThan(0.06);
    expect(Math.abs(measure(5) - correlation)).toBeLessThan(0.12);
  });

  it("is nothing in values that are all alike", () => {
    expect(estimateAutoregression(new Array<number>(20).fill(7))).toEqual({ deviation: 0, correlation: 0 });
  });
});

describe("steps of a level", () => {
  it("are found in noise that hangs together, and not made of it", () => {
    let [found, invented] = [0, 0];
    for (let seed = 0; seed < 100; seed++) {
      const noise = simulateAr1(seed, 200, 0.8);
      const deviation = Math.sqrt(average(noise.map((value) => value ** 2)));
      const steps = findSteps(noise.map((value, i) => value / deviation + (i < 100 ? 0 : 3)));
      if (steps.some((each) => Math.abs(each - 100) <= 5)) found++;
      invented += findSteps(noise).length;
    }
    expect(found).toBeGreaterThanOrEqual(90);
    // Of 20 000 values.
    expect(invented).toBeLessThanOrEqual(20);
  });

  it("are not spikes, of one value or two", () => {
    const random = createRandom(3);
    const values = Array.from({ length: 120 }, (_, i) => drawNormal(random) + (i === 40 || i === 80 || i === 81 ? 50 : 0));
    expect(findSteps(values)).toEqual([]);
  });

  it("follow from the numbers alone, at any scale and offset", () => {
    const values = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 60 });
    fc.assert(
      fc.property(values, fc.constantFrom(0.5, 4), fc.integer({ min: -64, max: 64 }), (drawn, scale, offset) => {
        const steps = findSteps(drawn);
        expect(findSteps(drawn.map((value) => scale * value + offset))).toEqual(steps);
        expect(steps.every((each, i) => each > (steps[i - 1] ?? 0) && each < drawn.length)).toBe(true);
      }),
    );
  });
});

describe("a season", () => {
  const pattern = [0, 3, 8, 4, -2, -6, -7];
  const draw = (n: number, step: number): number[] => {
    const random = createRandom(n);
    return Array.from({ length: n }, (_, i) => pattern[i % 7] + (i < n / 2 ? 0 : step) + drawNormal(random));
  };

  it("is found with its period and its values, under a step too", () => {
    const season = findSeason(draw(140, 10));
    expect(season?.length).toBe(7);
    for (const [i, value] of pattern.entries()) expect(Math.abs((season?.[i] ?? 99) - value)).toBeLessThan(1.5);
  });

  it("hides no step, and is none", () => {
    const changes = detectSeriesChanges(draw(140, 4)).map(({ index }) => index);
    expect(changes).toEqual([expect.toSatisfy((index: number) => Math.abs(index - 70) <= 2)]);
    expect(detectSeriesChanges(draw(140, 0))).toEqual([]);
  });

  it("is not seen in noise", () => {
    const found = Array.from({ length: 50 }, (_, seed) => findSeason(simulateAr1(seed, 150, 0.6))).filter(Boolean).length;
    expect(found).toBeLessThanOrEqual(3);
  });
});

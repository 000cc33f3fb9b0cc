import fc from "fast-check";
import { expect, test } from "vitest";
import { drawNormal, simulateAr1 } from "../../../test/simulation.js";
import { createRandom } from "../random.js";
import { findChangePoints } from "./change-points.js";

function simulateLevels(seed: number, levels: readonly (readonly [length: number, level: number])[]): number[] {
  const random = createRandom(seed);
  return levels.flatMap(([length, level]) => Array.from({ length }, () => level + drawNormal(random)));
}

test("levels of at least 30 samples and 6 standard deviations apart are all found, within two samples of their place", () => {
  const level = fc.tuple(fc.integer({ min: 30, max: 60 }), fc.constantFrom(0, 6, 12));
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 6 }), fc.integer(), (drawn, seed) => {
      const levels = drawn.filter(([, value], i) => i === 0 || value !== drawn[i - 1][1]);
      const found = findChangePoints(simulateLevels(seed, levels), { shortest: 5 });
      const places = levels.slice(0, -1).map((_, i) => levels.slice(0, i + 1).reduce((sum, [length]) => sum + length, 0));
      for (const place of places) expect(Math.min(...found.map((each) => Math.abs(each - place)))).toBeLessThanOrEqual(2);
      expect(found.length).toBeLessThanOrEqual(places.length + 2);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("noise of one level gives no changes: normal, skewed, dependent", () => {
  const count = (draw: (seed: number) => number[]): number =>
    Array.from({ length: 200 }, (_, seed) => findChangePoints(draw(seed)).length > 0).filter(Boolean).length;
  expect(count((seed) => simulateLevels(seed, [[100, 0]]))).toBeLessThanOrEqual(12);
  expect(count((seed) => simulateLevels(seed, [[100, 0]]).map(Math.exp))).toBeLessThanOrEqual(20);
  expect(count((seed) => simulateAr1(seed, 100, 0.5))).toBeLessThanOrEqual(40);
});

test("outliers, even in pairs and however far, are no changes", () => {
  const values = simulateLevels(4, [
    [100, 0],
    [100, 6],
  ]);
  for (const at of [20, 50, 51, 140, 160, 161]) values[at] = 1e6;
  const found = findChangePoints(values);
  expect(found).toEqual([expect.toSatisfy((index: number) => Math.abs(index - 100) <= 2)]);
});

test("shifting and scaling the series moves no change", () => {
  const values = simulateLevels(9, [
    [40, 0],
    [40, 4],
    [40, -3],
  ]);
  const found = findChangePoints(values);
  expect(found.length).toBe(2);
  fc.assert(
    fc.property(fc.integer({ min: -100, max: 100 }), fc.constantFrom(0.001, 0.5, 2, 1024), (shift, scale) => {
      expect(findChangePoints(values.map((value) => shift + scale * value))).toEqual(found);
    }),
  );
});

test("a step in numbers without noise is found, and constant or short series have none", () => {
  expect(findChangePoints([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2])).toEqual([6]);
  expect(findChangePoints(new Array<number>(50).fill(3))).toEqual([]);
  expect(findChangePoints([1, 2, 3])).toEqual([]);
  expect(findChangePoints([])).toEqual([]);
});

test("ten thousand samples take well under what a quadratic search would", () => {
  const values = simulateLevels(1, [[10_000, 0]]);
  const started = process.cpuUsage();
  findChangePoints(values);
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1e6).toBeLessThan(5);
});

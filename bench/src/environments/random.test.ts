import fc from "fast-check";
import { expect, test } from "vitest";
import { createRandom, drawIndex, drawNormal, drawUniform, seedRandom } from "./random.js";

const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test("equal seeds give equal sequences, and seeding again begins anew", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = createRandom(seed);
      const first = Array.from({ length: 5 }, () => drawUniform(random));
      seedRandom(random, seed);
      expect(Array.from({ length: 5 }, () => drawUniform(random))).toEqual(first);
      expect(first.every((value) => value >= 0 && value < 1)).toBe(true);
    }),
  );
});

test("neighbouring seeds give different sequences", () => {
  const firsts = Array.from({ length: 1000 }, (_, seed) => drawUniform(createRandom(seed)));
  expect(new Set(firsts).size).toBe(1000);
});

test("indices stay in range and reach both ends", () => {
  const random = createRandom(4);
  const indices = Array.from({ length: 1000 }, () => drawIndex(random, 7));
  expect([...new Set(indices)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("normal numbers have the moments of the standard normal distribution", () => {
  const random = createRandom(5);
  const values = Array.from({ length: 100_000 }, () => drawNormal(random));
  const mean = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
  // Four standard errors of each moment.
  expect(Math.abs(mean(1))).toBeLessThan(4 / Math.sqrt(values.length));
  expect(Math.abs(mean(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / values.length));
  expect(Math.abs(mean(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / values.length));
});

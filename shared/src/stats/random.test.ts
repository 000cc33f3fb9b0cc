import fc from "fast-check";
import { expect, test } from "vitest";
import { createRandom, createXoshiro, drawInteger } from "./random.js";

test("xoshiro128** from the state 1, 2, 3, 4 begins as the authors' C code does", () => {
  const next = createXoshiro(Uint32Array.of(1, 2, 3, 4));
  expect([next(), next(), next(), next()]).toEqual([11520, 0, 5927040, 70819200]);
});

test("the same seed gives the same sequence, another seed another", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => {
      const take = (seed: number): number[] => {
        const random = createRandom(seed);
        return Array.from({ length: 8 }, random);
      };
      expect(take(a)).toEqual(take(a));
      if (a !== b) expect(take(a)).not.toEqual(take(b));
    }),
  );
});

test("drawn integers fall on all of the range alike: χ² of 10 cells under its 99.9 % point", () => {
  const random = createRandom(7);
  const cells = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) cells[drawInteger(random, 10)]++;
  const chiSquare = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(chiSquare).toBeLessThan(27.88);
});

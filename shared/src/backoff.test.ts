import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffBounds, chooseBackoff } from "./backoff.js";

test("doubles from a tenth of a second up to ten seconds, and spreads over the whole wait", () => {
  expect([0, 1, 2, 6, 7, 50].map((attempt) => chooseBackoff(attempt, 1))).toEqual([0.1, 0.2, 0.4, 6.4, 10, 10]);
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
      const wait = chooseBackoff(attempt, chance);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(backoffBounds.longest);
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { normalCdf, studentQuantile } from "./distributions.js";
import { studentTail } from "./student-tail.js";

test("tails of Student's t are those of its tables", () => {
  // 97.5 % and 99.5 % points of printed tables.
  for (const [degrees, t, tail] of [
    [1, 12.7062, 0.025],
    [2, 4.30265, 0.025],
    [5, 2.57058, 0.025],
    [10, 3.16927, 0.005],
    [30, 2.75, 0.005],
  ] as const)
    expect(studentTail(t, degrees)).toBeCloseTo(tail, 5);
});

test("they are what quantiles are taken of, symmetric, and normal for many degrees", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), fc.integer({ min: 3, max: 200 }), (p, degrees) => {
      expect(studentTail(studentQuantile(p, degrees), degrees)).toBeCloseTo(1 - p, 3);
    }),
  );
  for (const t of [0, 0.5, 2, 4]) {
    expect(studentTail(t, 7) + studentTail(-t, 7)).toBeCloseTo(1, 12);
    expect(studentTail(t, 1e6)).toBeCloseTo(1 - normalCdf(t), 5);
  }
});

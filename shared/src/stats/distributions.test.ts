import fc from "fast-check";
import { expect, test } from "vitest";
import { normalCdf, normalQuantile, studentQuantile } from "./distributions.js";

test("the normal distribution at tabled points", () => {
  expect(normalCdf(0)).toBeCloseTo(0.5, 12);
  expect(normalCdf(1)).toBeCloseTo(0.8413447460685429, 12);
  expect(normalCdf(-2)).toBeCloseTo(0.0227501319481792, 12);
  expect(normalCdf(-6) / 9.865876450376981e-10).toBeCloseTo(1, 9);
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 10);
  expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306167813, 10);
});

test("the normal quantile undoes the distribution function", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), (p) => {
      expect(normalCdf(normalQuantile(p)) / p).toBeCloseTo(1, 8);
    }),
  );
});

test("Student's t at tabled points (Abramowitz & Stegun, table 26.10)", () => {
  const table: [number, number, number][] = [
    [0.975, 1, 12.706],
    [0.975, 2, 4.303],
    [0.975, 3, 3.182],
    [0.975, 4, 2.776],
    [0.995, 4, 4.604],
    [0.975, 10, 2.228],
    [0.95, 30, 1.697],
    [0.995, 120, 2.617],
  ];
  for (const [p, degrees, expected] of table) expect(studentQuantile(p, degrees)).toBeCloseTo(expected, 3);
  expect(studentQuantile(0.025, 5)).toBeCloseTo(-2.571, 3);
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { createLatencyWindow } from "./latency-window.js";

it("gives quantiles within 3 % of the exact ones, and begins anew after each reading", () => {
  const window = createLatencyWindow();
  expect(window.read([0.5])).toBeUndefined();
  const seconds = fc.array(fc.double({ min: 2e-6, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(seconds, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, quantile) => {
      for (const value of values) window.observe(value);
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(quantile * values.length) - 1];
      const [found] = window.read([quantile]) as number[];
      expect(Math.abs(found / exact - 1)).toBeLessThan(0.03);
    }),
  );
});

it("takes what is out of its bounds as what lies at them", () => {
  const window = createLatencyWindow();
  for (const value of [0, 1e9]) window.observe(value);
  const [least, most] = window.read([0.5, 1]) as number[];
  expect(least).toBeLessThan(2e-6);
  expect(most).toBeGreaterThan(1e5);
});

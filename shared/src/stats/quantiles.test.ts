import fc from "fast-check";
import { expect, test } from "vitest";
import { median, quantile, sortNumbers } from "./quantiles.js";

const values = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 60 });

test("quantiles are those of R's default: quantile(c(2, 4, 4, 5, 7, 9, 11, 12), c(.1, .25, .5, .9))", () => {
  const sorted = [2, 4, 4, 5, 7, 9, 11, 12];
  expect([0.1, 0.25, 0.5, 0.9].map((p) => quantile(sorted, p))).toEqual([3.4, 4, 6, 11.3].map((x) => expect.closeTo(x, 12)));
});

test("a quantile lies between neighbours in rank and grows with p", () => {
  fc.assert(
    fc.property(values, fc.double({ noNaN: true, min: 0, max: 1 }), fc.double({ noNaN: true, min: 0, max: 1 }), (list, p, q) => {
      const sorted = sortNumbers(list);
      const [low, high] = [Math.min(p, q), Math.max(p, q)].map((each) => quantile(sorted, each));
      expect(low).toBeLessThanOrEqual(high);
      expect(low).toBeGreaterThanOrEqual(sorted[0]);
      expect(high).toBeLessThanOrEqual(sorted[sorted.length - 1]);
    }),
  );
});

test("the median leaves as many values under it as over it", () => {
  fc.assert(
    fc.property(values, (list) => {
      const centre = median(list);
      expect(list.filter((value) => value < centre).length).toBeLessThanOrEqual(list.length / 2);
      expect(list.filter((value) => value > centre).length).toBeLessThanOrEqual(list.length / 2);
    }),
  );
});

test("nothing has no median", () => {
  expect(() => median([])).toThrow(RangeError);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { createSequenceSet } from "./sequence-set.js";

test("knows what was added, in whatever order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 80 }), (numbers) => {
      const set = createSequenceSet();
      const model = new Set<number>();
      for (const number of numbers) {
        expect(set.add(number)).toBe(!model.has(number));
        model.add(number);
        for (let each = 0; each <= 41; each++) expect(set.has(each)).toBe(model.has(each));
      }
    }),
  );
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { createByteBudget, findDebtMs, spendBytes } from "./byte-budget.js";

it("lets ten seconds' worth through at once, and asks for the time of what is beyond it", () => {
  const budget = createByteBudget();
  spendBytes(budget, 1000, 100, 5000);
  expect(findDebtMs(budget, 5000)).toBe(0);
  spendBytes(budget, 50, 100, 5000);
  expect([findDebtMs(budget, 5000), findDebtMs(budget, 5400), findDebtMs(budget, 9000)]).toEqual([500, 100, 0]);
});

it("never lets more through than the rate and ten seconds' worth, however it is asked", () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), pauseMs: fc.integer({ min: 0, max: 3000 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 100 }), fc.integer({ min: 10, max: 10_000 }), (steps, rate) => {
      const budget = createByteBudget();
      let nowMs = 1000;
      let sent = 0;
      for (const { bytes, pauseMs } of steps) {
        nowMs += pauseMs + findDebtMs(budget, nowMs + pauseMs);
        // What is let in stays within the burst but for the one frame that is under way.
        expect(sent).toBeLessThanOrEqual(rate * (10 + (nowMs - 1000) / 1000) + 1e-6);
        spendBytes(budget, bytes, rate, nowMs);
        sent += bytes;
      }
    }),
  );
});

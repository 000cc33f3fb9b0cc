import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startTicker } from "./ticker.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("ticks keep in step with the first, never overlap, and end with stop", async () => {
  const begun: number[] = [];
  const origin = performance.now();
  const ticker = startTicker(10, async () => {
    begun.push(Math.round(performance.now() - origin));
    if (begun.length === 2) await new Promise((resolve) => setTimeout(resolve, 13_000));
  });
  await vi.advanceTimersByTimeAsync(45_000);
  expect(begun).toEqual([0, 10_000, 30_000, 40_000]);
  await ticker.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(begun.length).toBe(4);
});

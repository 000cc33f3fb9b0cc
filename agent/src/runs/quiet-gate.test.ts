import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startTicker } from "../time/ticker.js";
import { createQuietGate } from "./quiet-gate.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("the gate holds while a section is timed, but never longer than the limit", async () => {
  const gate = createQuietGate();
  const passed: string[] = [];
  const pass = (name: string): Promise<void> => gate.pass(10).then(() => void passed.push(name));
  await pass("open");
  gate.set(true);
  void pass("held");
  await vi.advanceTimersByTimeAsync(3000);
  expect(passed).toEqual(["open"]);
  gate.set(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(passed).toEqual(["open", "held"]);
  gate.set(true);
  void pass("impatient");
  await vi.advanceTimersByTimeAsync(9999);
  expect(passed.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(passed).toEqual(["open", "held", "impatient"]);
});

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

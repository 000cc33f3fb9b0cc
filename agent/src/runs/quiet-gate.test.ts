import { afterEach, beforeEach, expect, test, vi } from "vitest";
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

test("who listens is told when a section begins, until they stop listening", () => {
  const gate = createQuietGate();
  let told = 0;
  const stop = gate.onQuiet(() => told++);
  gate.set(false);
  gate.set(true);
  gate.set(true);
  expect(told).toBe(1);
  gate.set(false);
  gate.set(true);
  expect(told).toBe(2);
  stop();
  gate.set(false);
  gate.set(true);
  expect(told).toBe(2);
});

import { expect, it } from "vitest";
import { createWallClock } from "./wall-clock.js";

it("tells microseconds, learns the millisecond's phase, and follows steps at once", () => {
  let trueMs = 1_700_000_000_000.4;
  let bootMs = 1_700_000_000_000;
  const read = createWallClock(
    () => Math.floor(trueMs),
    () => trueMs - bootMs,
    bootMs - 7000,
  );
  const error = (): number => Math.abs(read() - trueMs * 1000);
  expect(error()).toBeLessThan(1000);
  // Readings in many phases of the millisecond narrow the shift down.
  for (let i = 0; i < 200; i++) {
    trueMs += 1.037;
    error();
  }
  expect(error()).toBeLessThan(50);
  // The host's clock goes back by an hour; the steady one does not.
  trueMs -= 3_600_000;
  bootMs -= 3_600_000;
  expect(error()).toBeLessThan(1001);
});

it("is right from the start where the process knows when it began", () => {
  const trueMs = 1_700_000_000_000.437;
  const bootMs = 1_699_999_990_000.25;
  const read = createWallClock(
    () => Math.floor(trueMs),
    () => trueMs - bootMs,
    bootMs,
  );
  expect(read()).toBe(trueMs * 1000);
});

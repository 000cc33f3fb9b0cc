import { describe, expect, it } from "vitest";
import { readClock } from "../../machine/clock.js";
import { calibrate, chooseSampleLength } from "./calibration.js";

describe("calibrate", () => {
  const clock = { resolutionS: 1e-7, costS: 5e-8 };

  it("makes samples last a thousand times the clock's resolution and cost", () => {
    expect(chooseSampleLength({ resolutionS: 1e-6, costS: 1e-8 })).toBeCloseTo(1e-3);
    expect(chooseSampleLength({ resolutionS: 1e-9, costS: 1e-5 })).toBeCloseTo(1e-2);
    expect(chooseSampleLength(clock)).toBe(5e-4);
  });

  it("needs few calls of slow work and many of fast", async () => {
    const of = (secondsEach: number) => calibrate((iterations) => iterations * secondsEach, clock, 10);
    expect(await of(0.05)).toEqual({ iterationsPerSample: 1, secondsPerIteration: 0.05 });
    expect(Math.abs((await of(1e-6)).iterationsPerSample - 500)).toBeLessThanOrEqual(1);
  });

  it("goes by what is left when compiling is over", async () => {
    let calls = 0;
    const timer = (iterations: number): number => {
      let seconds = 0;
      for (let i = 0; i < iterations; i++) seconds += calls++ < 100 ? 1e-4 : 1e-6;
      return seconds;
    };
    expect((await calibrate(timer, clock, 10)).secondsPerIteration).toBeLessThan(1e-5);
  });

  it("ends at its time limit", async () => {
    const started = readClock();
    const timer = (iterations: number): number => {
      const until = readClock() + iterations * 0.02;
      while (readClock() < until);
      return iterations * 0.02;
    };
    expect((await calibrate(timer, clock, 0.01)).iterationsPerSample).toBe(1);
    expect(readClock() - started).toBeLessThan(5);
  });
});

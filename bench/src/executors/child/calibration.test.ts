import { describe, expect, it } from "vitest";
import { readClock } from "../../machine/clock.js";
import { calibrate, chooseIterations, chooseSampleLength } from "./calibration.js";

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

  it("is not misled by a stall, whichever trial it falls into", async () => {
    for (let stalled = 0; stalled < 12; stalled++) {
      let trial = 0;
      const timer = (iterations: number): number => iterations * 2e-6 + (trial++ === stalled ? 0.2 : 0);
      const { iterationsPerSample } = await calibrate(timer, clock, 10);
      expect(Math.abs(iterationsPerSample - 250), `stalled in trial ${stalled}`).toBeLessThanOrEqual(5);
    }
  });

  it("keeps the iterations of former runs, unless samples would be too short", () => {
    const found = { iterationsPerSample: 250, secondsPerIteration: 2e-6 };
    expect(chooseIterations(found, clock, undefined)).toBe(250);
    expect(chooseIterations(found, clock, 130)).toBe(130);
    expect(chooseIterations(found, clock, 9000)).toBe(9000);
    expect(chooseIterations(found, clock, 100)).toBe(250);
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

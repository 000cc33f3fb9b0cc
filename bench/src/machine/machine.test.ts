import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calibrate, chooseSampleLength } from "../executors/child/calibration.js";
import { measureClock, readClock } from "./clock.js";
import { chooseCore, parseCoreList } from "./cores.js";
import { compareSnapshots, describeDisturbances, listDisturbances, takeSnapshot } from "./disturbance.js";

describe("the clock", () => {
  it("knows its resolution and cost", () => {
    const { resolutionS, costS } = measureClock();
    expect(resolutionS).toBeGreaterThan(0);
    expect(resolutionS).toBeLessThan(1e-3);
    expect(costS).toBeGreaterThan(0);
    expect(costS).toBeLessThan(1e-4);
  });
});

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

describe("cores", () => {
  it("reads the kernel's lists", () => {
    expect(parseCoreList("0-3,8")).toEqual([0, 1, 2, 3, 8]);
    expect(parseCoreList("")).toEqual([]);
    fc.assert(fc.property(fc.string(), (text) => parseCoreList(text).every(Number.isFinite)));
  });

  it("chooses the one that did least, of equals the last", () => {
    const before = new Map([
      [0, 1],
      [1, 5],
      [2, 9],
    ]);
    const after = new Map([
      [0, 3],
      [1, 5.5],
      [2, 9.5],
    ]);
    expect(chooseCore([0, 1, 2], before, after)).toBe(2);
    expect(chooseCore([0, 1], before, after)).toBe(1);
    expect(chooseCore([], before, after)).toBeUndefined();
  });
});

describe("disturbance", () => {
  const before = {
    ...takeSnapshot(0),
    timeS: 0,
    busyS: 0,
    stealS: 0,
    ownS: 0,
    mainS: 0,
    waitS: 0,
    memoryStallS: 0,
    throttles: 0,
    frequencyHz: 2e9,
  };

  it("sees nothing where this process alone was busy", () => {
    const after = { ...before, timeS: 1, busyS: 1, ownS: 1, mainS: 1 };
    expect(listDisturbances(compareSnapshots(before, after))).toEqual([]);
    expect(describeDisturbances([compareSnapshots(before, after)])).toBe("");
  });

  it.each([
    [{ stealS: 0.5 }, "steal", "hypervisor took 50 % of a core"],
    [{ waitS: 0.5 }, "wait", "waited 50 % of the time for a core"],
    [{ busyS: 3 }, "others", "other processes used 2.0 cores"],
    [{ memoryStallS: 0.5 }, "memoryStall", "memory pressure for 50 % of the time"],
    [{ throttles: 3 }, "throttles", "3 thermal throttle events"],
    [{ frequencyHz: 1e9 }, "slowdown", "core frequency fell by 50 %"],
  ] as const)("sees %o as %s", (seen, key, phrase) => {
    const exposure = compareSnapshots(before, { ...before, timeS: 1, busyS: 1, ownS: 1, mainS: 1, ...seen });
    expect(listDisturbances(exposure)).toEqual([key]);
    expect(describeDisturbances([exposure])).toBe(phrase);
  });

  it("does not mind waiting for threads of its own, such as a compiler's on the same core", () => {
    const busy = { ...before, timeS: 1, busyS: 1, ownS: 1, mainS: 0.6 };
    expect(listDisturbances(compareSnapshots(before, { ...busy, waitS: 0.4 }))).toEqual([]);
    expect(listDisturbances(compareSnapshots(before, { ...busy, waitS: 0.5 }))).toEqual(["wait"]);
  });

  it("counts what a machine does not show as nothing seen", () => {
    const blind = {
      ...before,
      busyS: undefined,
      stealS: undefined,
      mainS: undefined,
      waitS: undefined,
      memoryStallS: undefined,
      throttles: undefined,
      frequencyHz: undefined,
    };
    expect(listDisturbances(compareSnapshots(blind, { ...blind, timeS: 1, ownS: 1 }))).toEqual([]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { measureClock } from "./clock.js";
import { chooseCore, parseCoreList } from "./cores.js";
import { compareSnapshots, describeDisturbances, listDisturbances } from "./disturbance.js";
import { parseProcessStat, readSnapshot } from "./snapshot.js";
import { addWindow, beginWatch, summarizeWatch } from "./watch.js";

describe("the clock", () => {
  it("knows its resolution and cost", () => {
    const { resolutionS, costS } = measureClock();
    expect(resolutionS).toBeGreaterThan(0);
    expect(resolutionS).toBeLessThan(1e-3);
    expect(costS).toBeGreaterThan(0);
    expect(costS).toBeLessThan(1e-4);
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
    ...readSnapshot("self", 0, 3e-5),
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

describe("a process", () => {
  it("is the same by its id as seen by itself", () => {
    const [own, other] = [readSnapshot("self", 0, 1), readSnapshot(process.pid, 0, 1)];
    // A tick of the kernel, and what this test itself takes between the two.
    expect(Math.abs(other.ownS - own.ownS)).toBeLessThan(0.5);
    expect(other.mainS === undefined).toBe(own.mainS === undefined);
  });

  it("that is gone has taken no time", () => {
    expect(readSnapshot(2 ** 22 + 1, 0, 1)).toMatchObject({ ownS: 0, mainS: undefined, waitS: undefined });
  });

  it("may be called anything", () => {
    const rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), (name) => {
        expect(parseProcessStat(`17 (${name}) ${rest}`)).toBe(3);
      }),
    );
    expect(parseProcessStat(`17 (a) b) ${rest}`)).toBe(3);
    expect(parseProcessStat("")).toBeUndefined();
  });
});

describe("a watch", () => {
  it("sums up from its first look to the last, and keeps what each window showed", () => {
    const first = { ...readSnapshot("self", 0, 1), timeS: 10, busyS: 5, ownS: 1, throttles: 0 };
    const watch = beginWatch(first);
    addWindow(watch, { ...first, timeS: 11, busyS: 6, ownS: 2, workS: 3 });
    addWindow(watch, { ...first, timeS: 12, busyS: 9, ownS: 3, workS: 2 });
    const { timedS, cpuS, exposure, windows } = summarizeWatch(watch, watch.latest);
    expect([timedS, cpuS]).toEqual([2, 2]);
    expect(exposure.others).toBe(1);
    expect(windows).toEqual([
      { disturbed: false, workS: 3 },
      { disturbed: true, workS: 3 },
    ]);
  });
});

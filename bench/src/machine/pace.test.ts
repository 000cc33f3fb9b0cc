import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeDisturbance } from "../measure/benchmark-run.js";
import { describeDisturbances, listDisturbances } from "./disturbance.js";
import { createPaceRecord, findPaceLoss, timeReferenceWork, warmUpReferenceWork } from "./pace.js";

const fullS = 3e-5;
const calm = { wait: 0, steal: 0, others: 0, memoryStall: 0, throttles: 0, slowdown: 0, paceLoss: 0 };

/** Windows of which so many had a neighbour on their core, which left them two thirds of it. */
const makeWindows = (count: number, slow: number) =>
  Array.from({ length: count }, (_, i) => ({ disturbed: false, workS: i < slow ? 1.5 * fullS : fullS }));

it("times the reference work alike, once it is compiled", () => {
  warmUpReferenceWork();
  const times = Array.from({ length: 50 }, timeReferenceWork).sort((a, b) => a - b);
  expect(times[0]).toBeGreaterThan(5e-6);
  // The fastest and a middling one: a core that is shared for long may be slow in most of them.
  expect(times[10] / times[0]).toBeLessThan(2);
});

describe("the pace record", () => {
  it("takes what the fastest quarter reaches for full pace", () => {
    const record = createPaceRecord();
    expect(record.fullS()).toBe(Number.POSITIVE_INFINITY);
    record.note([1, 2, 3, 4, 5]);
    expect(record.fullS()).toBe(2);
  });

  it("forgets the pace that a machine could not keep up", () => {
    const record = createPaceRecord();
    record.note(Array(500).fill(1));
    record.note(Array(900).fill(2));
    expect(record.fullS()).toBe(2);
  });
});

it("finds a loss from 0 to under 1, whatever the times", () => {
  const time = fc.double({ min: 1e-9, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(time, time, (workS, full) => {
      const loss = findPaceLoss(workS, full);
      expect(loss).toBeGreaterThanOrEqual(0);
      expect(loss).toBeLessThan(1);
      expect(loss > 0).toBe(1 - full / workS > 0);
    }),
  );
});

describe("a process run", () => {
  it.each([
    [20, 0, false],
    [20, 4, false],
    [20, 5, true],
    [20, 20, true],
    [1, 1, true],
  ])("of %i windows, %i of them on a shared core, is disturbed: %s", (count, slow, disturbed) => {
    const judged = judgeDisturbance({ exposure: calm, windows: makeWindows(count, slow) }, fullS);
    expect(judged).toMatchObject({ disturbed, disturbedWindows: slow });
    expect(listDisturbances(judged.exposure)).toEqual(disturbed ? ["paceLoss"] : []);
    expect(describeDisturbances([judged.exposure])).toBe(disturbed ? "the core lost 33 % of its pace" : "");
  });

  it("counts a window once that is disturbed in two ways", () => {
    const windows = makeWindows(10, 1).map((window, i) => ({ ...window, disturbed: i < 2 }));
    expect(judgeDisturbance({ exposure: calm, windows }, fullS)).toMatchObject({ disturbed: false, disturbedWindows: 2 });
  });
});

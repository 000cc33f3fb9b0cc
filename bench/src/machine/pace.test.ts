import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPaceRecord, estimateFullPace, findPaceLoss, recordPace, timeReferenceWork, warmUpReferenceWork } from "./pace.js";

it("times the reference work", () => {
  warmUpReferenceWork();
  const times = Array.from({ length: 50 }, timeReferenceWork);
  expect(times.every((time) => time > 0 && Number.isFinite(time))).toBe(true);
});

describe("the pace record", () => {
  it("takes what the fastest quarter reaches for full pace", () => {
    const record = createPaceRecord();
    expect(estimateFullPace(record)).toBe(Number.POSITIVE_INFINITY);
    recordPace(record, [1, 2, 3, 4, 5]);
    expect(estimateFullPace(record)).toBe(2);
  });

  it("forgets the pace that a machine could not keep up", () => {
    const record = createPaceRecord();
    recordPace(record, Array(500).fill(1));
    recordPace(record, Array(900).fill(2));
    expect(estimateFullPace(record)).toBe(2);
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

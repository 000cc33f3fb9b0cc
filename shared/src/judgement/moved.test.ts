import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import type { Result } from "../model/result.js";
import { compareAmounts, compareOverheads, readSingle } from "./moved.js";

/** Six process runs that differ by 1 %, around a level in seconds. */
function measured(level: number, metadata: Result["metadata"] = {}, more: Partial<Result> = {}): Result {
  const run_medians = [-1.2, -0.8, -0.2, 0.2, 0.8, 1.2].map((each) => level * Math.exp(each / 100));
  return makeResult({ median: level, run_medians, run_spread: 0.01, run_spread_degrees: 5, metadata, ...more });
}

const work = (reference_work_us: number, more: Result["metadata"] = {}) => ({ reference_work_us, ...more });

describe("how times moved", () => {
  it("is told by the runs of both sides", () => {
    const { change, low, high } = compareAmounts(measured(1), measured(1.05));
    expect(change).toBeCloseTo(0.05, 6);
    // t of 10 degrees of freedom at 99.5 % is 3.1693.
    expect(Math.log1p(high) - Math.log1p(change)).toBeCloseTo(3.1693 * 0.01 * Math.sqrt(2 / 6), 4);
    expect(Math.log1p(change) - Math.log1p(low)).toBeCloseTo(3.1693 * 0.01 * Math.sqrt(2 / 6), 4);
  });

  it("may be explained by a core that became slower, and not the other way round", () => {
    const alike = compareAmounts(measured(1, work(20)), measured(1.05, work(20)));
    const slower = compareAmounts(measured(1, work(20)), measured(1.05, work(22)));
    const faster = compareAmounts(measured(1, work(20)), measured(1.05, work(18)));
    expect(Math.log1p(alike.low) - Math.log1p(slower.low)).toBeCloseTo(Math.log(22 / 20), 6);
    expect(slower.high).toBe(alike.high);
    expect(faster.low).toBe(alike.low);
    expect(Math.log1p(faster.high) - Math.log1p(alike.high)).toBeCloseTo(Math.log(20 / 18), 6);
  });

  it("may be explained by a core that was taken away", () => {
    const quiet = compareAmounts(measured(1, work(20)), measured(1.05, work(20)));
    const stolen = compareAmounts(measured(1, work(20)), measured(1.05, work(20, { wait_percent: 5, steal_percent: 5 })));
    expect(Math.log1p(quiet.low) - Math.log1p(stolen.low)).toBeCloseTo(-Math.log(0.9), 6);
  });

  it("is decided though both were disturbed alike", () => {
    const disturbed = { disturbance: "other processes used 2.0 cores" };
    const pace = work(30, { wait_percent: 30 });
    const { low, high } = compareAmounts(measured(1, pace, disturbed), measured(1.02, pace, disturbed));
    expect(low).toBeGreaterThan(-0.02);
    expect(high).toBeLessThan(0.06);
  });

  it("may be explained by samples that are means of unlike many iterations, up to twice as much", () => {
    const one = measured(1, {}, { iterations_per_sample: 1 });
    const [four, many] = [4, 100].map((n) => measured(1.5, {}, { iterations_per_sample: n }));
    expect(compareAmounts(one, four).low).toBeLessThan(0);
    expect(compareAmounts(one, measured(3, {}, { iterations_per_sample: 4 })).low).toBeGreaterThan(0);
    expect(compareAmounts(measured(1, {}, { iterations_per_sample: 25 }), many).low).toBeGreaterThan(0.4);
  });

  it("against a single figure is told by the spread of the other side", () => {
    const { low, high } = compareAmounts(readSingle(1), measured(1.5));
    expect(low).toBeGreaterThan(0.4);
    expect(high).toBeLessThan(0.6);
  });

  it("against a result of a former version is told by its interval, however the newer one was measured", () => {
    const former = makeResult({ median: 1, median_low: 0.99, median_high: 1.01 });
    const newer = measured(1, {}, { median_low: 0.99, median_high: 1.01 });
    const { low, high } = compareAmounts(former, newer);
    expect(low).toBeGreaterThan(-0.03);
    expect(high).toBeLessThan(0.03);
    // Of one that was disturbed, and does not say by how much, half is uncertain.
    expect(compareAmounts({ ...former, disturbance: "busy" }, newer).high).toBeGreaterThan(0.5);
  });
});

describe("how an overhead moved", () => {
  it("is told in points, whatever the machine's pace was", () => {
    const overhead = (run_medians: [number, number, number], us: number): Result =>
      makeResult({
        quantity: "overhead",
        unit: "%",
        median: run_medians[1],
        run_medians,
        run_spread: 1,
        run_spread_degrees: 5,
        metadata: work(us),
      });
    const { before, after, change, high } = compareOverheads(overhead([9, 10, 11], 20), overhead([-1, 0, 1], 40));
    expect([before, after, change]).toEqual([10, 0, -10]);
    expect(high).toBeCloseTo(-10 + 3.1693 * Math.sqrt(2 / 3), 3);
  });
});

import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import { drawNormal } from "../../test/simulation.js";
import type { Result } from "../model/result.js";
import { createRandom } from "../stats/random.js";
import { findTrend } from "./trend.js";

const dayUs = 86_400e6;

function live(days: number, level: (day: number) => number, more: Partial<Result> = {}): Result[] {
  const random = createRandom(3);
  return Array.from({ length: days }, (_, day) => {
    const noise = more.quantity === "overhead" ? 0.1 * drawNormal(random) : 0;
    const median = level(day) * Math.exp(more.quantity === "overhead" ? 0 : 0.005 * drawNormal(random)) + noise;
    return makeResult({ time_us: day * dayUs, median, ...more });
  });
}

describe("where a benchmark goes", () => {
  it("is slower by so many percent a week", () => {
    const trend = findTrend(live(29, (day) => 1e-3 * 1.01 ** (day / 7)));
    expect(trend).toMatchObject({ direction: "slower", results: 29, unit: "s" });
    expect(trend?.per_week).toBeCloseTo(1, 0);
    expect(trend?.low).toBeLessThan(1);
    expect(trend?.high).toBeGreaterThan(1);
    expect(trend?.change).toBeCloseTo(4.06, 0);
    expect(trend?.recent_change).toBeGreaterThan(1);
  });

  it("is faster, or nowhere, by the same rule", () => {
    expect(findTrend(live(29, (day) => 1e-3 * 0.99 ** (day / 7)))?.direction).toBe("faster");
    expect(findTrend(live(29, () => 1e-3))?.direction).toBe("none");
    // A trend that is sure and comes to one percent is none to act on.
    expect(findTrend(live(29, (day) => 1e-3 * 1.0025 ** (day / 7)))?.direction).toBe("none");
  });

  it("is told in points of an overhead", () => {
    const trend = findTrend(live(29, (day) => 5 + day / 7, { quantity: "overhead", unit: "%" }));
    expect(trend?.direction).toBe("slower");
    expect(trend?.per_week).toBeCloseTo(1, 1);
    expect(trend?.change).toBeCloseTo(4, 1);
  });

  it("can't be told of few results, of those that never settled, nor of one day", () => {
    expect(findTrend(live(4, () => 1e-3))).toBeUndefined();
    expect(findTrend(live(20, () => 1e-3, { steady_state: "no_steady_state" }))).toBeUndefined();
    expect(findTrend(live(20, () => 1e-3).map((each) => ({ ...each, time_us: each.time_us / 20 })))).toBeUndefined();
  });
});

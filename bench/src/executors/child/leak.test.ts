import { createRandom } from "@fleetmark/shared/stats/random";
import { describe, expect, it } from "vitest";
import { judgeLeak } from "./leak.js";

const grow = (bytesPerRound: number, noise: number, rounds = 12): number[] => {
  const random = createRandom(3);
  return Array.from({ length: rounds }, (_, i) => 5e6 + i * bytesPerRound + noise * (random() - 0.5));
};

describe("judgeLeak", () => {
  it("finds steady growth, in bytes per iteration", () => {
    const leak = judgeLeak(grow(100_000, 10_000), 1000);
    expect(leak.verdict).toBe("yes");
    expect(leak.slope).toBeCloseTo(100, -1);
    expect(leak.low).toBeLessThanOrEqual(leak.slope);
    expect(leak.high).toBeGreaterThanOrEqual(leak.slope);
  });

  it("calls neither noise nor a cache that fills at first a leak", () => {
    expect(judgeLeak(grow(0, 50_000), 1000).verdict).toBe("no");
    expect(judgeLeak([1e6, 3e6, ...grow(0, 1000, 10)], 1000).verdict).toBe("no");
  });

  it("says nothing of few rounds", () => {
    expect(judgeLeak([1, 2, 3], 1).verdict).toBe("unknown");
  });
});

import { createRandom } from "@fleetmark/shared/stats/random";
import { describe, expect, it } from "vitest";
import { judgeLeak, readResident, watchGc } from "./memory.js";

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

describe("watchGc", () => {
  it("counts the bytes that work allocates", () => {
    const end = watchGc();
    const kept: number[][] = [];
    for (let i = 0; i < 2000; i++) kept.push(new Array(1000).fill(i + 0.5));
    const { allocatedBytes, count } = end();
    // 8 bytes an element; what else this process allocates meanwhile is little beside it.
    expect(allocatedBytes / (kept.length * 8000)).toBeGreaterThan(0.95);
    expect(allocatedBytes / (kept.length * 8000)).toBeLessThan(1.6);
    expect(count).toBeGreaterThan(0);
  });
});

describe("readResident", () => {
  it("gives a peak that is not under the present", () => {
    const { now, peak } = readResident();
    expect(now).toBeGreaterThan(10e6);
    expect(peak).toBeGreaterThanOrEqual(now);
  });
});

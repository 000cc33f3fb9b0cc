import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findNextNightMs, startNightly } from "./nightly.js";

describe("startNightly", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date(2026, 5, 1, 12, 0) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("runs soon after the start, then every night, and not after it is stopped", async () => {
    const runs: string[] = [];
    const nightly = startNightly(async () => void runs.push(`${new Date().getDate()} ${new Date().getHours()}`));
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    expect(runs).toEqual(["1 12"]);
    await vi.advanceTimersByTimeAsync(2 * 86_400_000);
    expect(runs).toEqual(["1 12", "2 2", "3 2"]);
    await nightly.stop();
    await vi.advanceTimersByTimeAsync(3 * 86_400_000);
    expect(runs).toHaveLength(3);
  });

  it("finds the next night from either side of it", () => {
    expect(findNextNightMs(new Date(2026, 5, 1, 2, 0))).toBe(30 * 60_000);
    expect(findNextNightMs(new Date(2026, 5, 1, 2, 30))).toBe(86_400_000);
  });
});

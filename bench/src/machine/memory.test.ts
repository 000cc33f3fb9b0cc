import { describe, expect, it } from "vitest";
import { readOwnResident, readResident } from "./memory.js";

describe("resident memory", () => {
  it("has a peak that is not under the present", () => {
    const { now, peak } = readOwnResident();
    expect(now).toBeGreaterThan(10e6);
    expect(peak).toBeGreaterThanOrEqual(now);
  });

  it("of a process by its id is what it sees itself, and nothing of one that is gone", () => {
    const other = readResident(process.pid);
    if (other === undefined) return; // no /proc here
    expect(other.peak).toBeGreaterThanOrEqual(other.now);
    expect(Math.abs(other.now - readOwnResident().now)).toBeLessThan(50e6);
    expect(readResident(2 ** 22 + 1)).toBeUndefined();
  });
});

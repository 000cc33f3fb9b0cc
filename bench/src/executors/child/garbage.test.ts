import { describe, expect, it } from "vitest";
import { watchGc } from "./garbage.js";

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

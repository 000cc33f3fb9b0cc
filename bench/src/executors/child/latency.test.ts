import { describe, expect, it } from "vitest";
import { measureLatency } from "./latency.js";

const clock = { resolutionS: 1e-8, costS: 5e-8 };

describe("measureLatency", () => {
  it("finds the slow iterations that a mean hides, less the cost of the clock", async () => {
    let call = 0;
    const timer = (): number => (++call % 500 === 0 ? 3e-3 : 2e-6) + clock.costS;
    const latency = await measureLatency(timer, clock, 1e-3);
    expect(latency?.p50S).toBeCloseTo(2e-6, 12);
    expect(latency?.p99S).toBeCloseTo(2e-6, 12);
    expect(latency?.p999S).toBeCloseTo(3e-3, 12);
    expect(latency?.maxS).toBeCloseTo(3e-3, 12);
    expect(latency?.missed).toBe(Math.floor((latency?.iterations ?? 0) / 500));
    expect(latency?.deadlineS).toBe(1e-3);
  });

  it("awaits what has to be awaited", async () => {
    expect(await measureLatency(async () => 0.5, clock, 1)).toMatchObject({ missed: 0, maxS: expect.closeTo(0.5, 6) });
  });

  it("says nothing of what is too short for the clock", async () => {
    expect(await measureLatency(() => 1e-7, clock, 1e-3)).toBeUndefined();
  });
});

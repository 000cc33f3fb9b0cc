import { describe, expect, it } from "vitest";
import { planFaults } from "./plan.js";

const bounds = { shortS: [1, 10], longS: 70, calmS: 2 } as const;
const kinds = ["a", "b", "c", "d"];

describe("the plan of a run", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(planFaults(5, kinds, 20, bounds)).toEqual(planFaults(5, kinds, 20, bounds));
    expect(planFaults(5, kinds, 20, bounds)).not.toEqual(planFaults(6, kinds, 20, bounds));
  });

  it("has every kind equally often, short faults and some long ones, and some that meet", () => {
    const plan = planFaults(1, kinds, 400, bounds);
    for (const kind of kinds) expect(plan.filter((fault) => fault.kind === kind)).toHaveLength(100);
    expect(plan.every(({ seconds }) => seconds >= 1 && seconds <= 70)).toBe(true);
    const long = plan.filter(({ seconds }) => seconds > 10).length;
    expect(long).toBeGreaterThan(10);
    expect(long).toBeLessThan(90);
    expect(plan.filter(({ joins }) => joins).length).toBeGreaterThan(50);
    expect(plan[0].joins).toBe(false);
  });

  it("is empty where no kind is possible", () => {
    expect(planFaults(1, [], 10, bounds)).toEqual([]);
  });
});

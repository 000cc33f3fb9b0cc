import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/records.js";
import { drawNormal, simulateAr1 } from "../../test/simulation.js";
import type { Result } from "../model/result.js";
import { createRandom } from "../stats/random.js";
import type { Environment, Sibling } from "./explanation.js";
import { type Case, chooseConfidence, type Judgement, judgeResult, type PastResult } from "./judge-result.js";

const dayUs = 86_400e6;
const kernel: Environment = { kernel: "6.1", node: "20" };

/** A result of some day, of a level in seconds. */
function measured(day: number, median: number, more: Partial<Result> = {}): Result {
  return makeResult({ median, time_us: day * dayUs, run_spread: 0.005, process_runs: 6, ...more });
}

/** Days that differ by one percent around a level. */
function live(
  levels: readonly number[],
  more: (day: number) => Partial<Result> = () => ({}),
  environment = kernel,
): PastResult[] {
  const random = createRandom(7);
  return levels.map((level, day) => ({
    result: measured(day, level * Math.exp(0.01 * drawNormal(random)), more(day)),
    environment,
  }));
}

const days = (count: number, level: number): number[] => new Array<number>(count).fill(level);

function judge(result: Result, history: readonly PastResult[], more: Partial<Case> = {}): Judgement {
  const none = { pinned: [], acceptedUs: 0, falseAlarmsPerYear: 1, siblings: [] };
  return judgeResult({ result, environment: kernel, history, ...none, ...more });
}

describe("a result", () => {
  it("that is 15 % slower than the days before is a regression that nothing explains", () => {
    const judged = judge(measured(30, 1.15e-3), live(days(30, 1e-3)));
    expect(judged).toMatchObject({ verdict: "regressed", severity: "medium", baseline: "rolling", baseline_results: 20 });
    expect(judged).toMatchObject({ cause: "unknown", why: "nothing that was recorded explains it", since_us: 30 * dayUs });
    expect(judged.change).toBeCloseTo(15, 0);
    expect(judged.low).toBeGreaterThan(8);
  });

  it("as fast as before is unchanged, and one that is faster improved", () => {
    expect(judge(measured(30, 1.01e-3), live(days(30, 1e-3))).verdict).toBe("unchanged");
    expect(judge(measured(30, 0.85e-3), live(days(30, 1e-3))).verdict).toBe("improved");
  });

  it("is held to less where days differ by more", () => {
    const random = createRandom(3);
    const history = live(days(20, 1e-3).map((level) => level * Math.exp(0.08 * drawNormal(random))));
    expect(judge(measured(20, 1.15e-3), history).verdict).toBe("inconclusive");
    expect(judge(measured(20, 1.7e-3), history).verdict).toBe("regressed");
  });

  it("goes on being a regression, and tells since when", () => {
    const levels = [...days(20, 1e-3), ...days(15, 1.1e-3)];
    const judged = judge(measured(35, 1.1e-3), live(levels));
    expect(judged.verdict).toBe("regressed");
    expect(judged.since_us).toBe(20 * dayUs);
  });

  it("is unchanged once its level was accepted", () => {
    const levels = [...days(20, 1e-3), ...days(15, 1.1e-3)];
    const judged = judge(measured(35, 1.1e-3), live(levels), { acceptedUs: 20 * dayUs });
    expect(judged).toMatchObject({ verdict: "unchanged", baseline_results: 15 });
  });

  it("is compared with what was pinned, whatever came after", () => {
    const pinned = [{ result: measured(0, 1e-3), environment: kernel }];
    const judged = judge(measured(30, 1.1e-3), live(days(30, 1.1e-3)), { pinned });
    expect(judged).toMatchObject({ verdict: "regressed", baseline: "pinned", baseline_results: 1 });
  });

  it("after an upgrade is compared with before, and the upgrade is named", () => {
    const judged = judge(measured(30, 1.2e-3), live(days(30, 1e-3)), {
      environment: { ...kernel, nvidia_driver: "560", kernel: "6.2" },
    });
    expect(judged).toMatchObject({ verdict: "regressed", cause: "environment", why: "changed since: kernel 6.1 -> 6.2" });
  });

  it("of an upgraded host is compared with days after the upgrade, once there are three", () => {
    const after = live(days(5, 1.2e-3), (day) => ({ time_us: (30 + day) * dayUs }), { ...kernel, kernel: "6.2" });
    const history = [...live(days(30, 1e-3)), ...after];
    expect(judge(measured(35, 1.2e-3), history, { environment: { ...kernel, kernel: "6.2" } }).verdict).toBe("unchanged");
  });

  it("of another commit is not of another environment", () => {
    const history = live(days(30, 1e-3), undefined, { ...kernel, commit: "a" });
    const judged = judge(measured(30, 1.2e-3), history, { environment: { ...kernel, commit: "b" } });
    expect(judged).toMatchObject({ baseline_results: 20, cause: "environment", why: "changed since: commit a -> b" });
  });

  it("of a machine that was slower itself is no regression, and says so", () => {
    const history = live(days(30, 1e-3), () => ({ metadata: { reference_work_us: 20 } }));
    const slow = measured(30, 1.15e-3, { metadata: { reference_work_us: 23 } });
    expect(judge(slow, history)).toMatchObject({ verdict: "inconclusive", cause: "pace", severity: "none" });
    const shared = measured(30, 1.15e-3, { metadata: { reference_work_us: 20, wait_percent: 14 } });
    expect(judge(shared, history)).toMatchObject({ verdict: "inconclusive", cause: "contention" });
    const worse = measured(30, 1.6e-3, { metadata: { reference_work_us: 22 } });
    expect(judge(worse, history)).toMatchObject({ verdict: "regressed", cause: "pace" });
  });

  it("is slower by its software where its class is, and by its hardware where it is alone", () => {
    const siblings = (verdict: Sibling["verdict"]): Sibling[] => ["a", "b", "c", "d"].map((host) => ({ host, verdict }));
    const slow = measured(30, 1.2e-3);
    expect(judge(slow, live(days(30, 1e-3)), { siblings: siblings("regressed") }).cause).toBe("class");
    expect(judge(slow, live(days(30, 1e-3)), { siblings: siblings("unchanged") }).cause).toBe("host");
  });

  it("of a card tells what the card was held back by", () => {
    const card = { card_uuid: "GPU-1", card_sm_clock_mhz: 1980, card_power_limit_w: 700 };
    const history = live(days(30, 1e-3), () => ({ metadata: card }));
    const held = { metadata: { ...card, card_sm_clock_mhz: 1200 }, disturbance: "power capped 80 % of the run" };
    expect(judge(measured(30, 1.5e-3, held), history)).toMatchObject({
      cause: "gpu",
      why: "the card was power capped 80 % of the run; its clock was 1200 MHz, before 1980",
    });
  });

  it("that is the first, or never settled, has no verdict", () => {
    expect(judge(measured(0, 1e-3), [])).toMatchObject({ verdict: "inconclusive", baseline: "none" });
    const unsteady = measured(30, 2e-3, { steady_state: "no_steady_state" });
    expect(judge(unsteady, live(days(30, 1e-3)))).toMatchObject({ verdict: "not-steady", severity: "none" });
    const others = live(days(30, 1e-3), () => ({ hw_class: "another" }));
    expect(judge(measured(30, 2e-3), others).baseline).toBe("none");
  });

  it("is graded by the throughput that it lost, and of memory from a fifth on", () => {
    const history = live(days(30, 1e-3));
    // 10.5 % more time is 9.5 % less throughput.
    expect(judge(measured(30, 1.105e-3), history).severity).toBe("low");
    expect(judge(measured(30, 1.105e-3, { throughput: 0 }), history).severity).toBe("medium");
    expect(judge(measured(30, 1.3e-3), history).severity).toBe("high");
    const memory = { quantity: "memory", unit: "MB" } as const;
    const peaks = days(20, 50).map((level, day) => ({ result: measured(day, level, memory), environment: kernel }));
    expect(judge(measured(20, 59, memory), peaks)).toMatchObject({ verdict: "regressed", severity: "low" });
    expect(judge(measured(20, 61, memory), peaks)).toMatchObject({ verdict: "regressed", severity: "medium" });
  });

  it("is compared by points where it is an overhead", () => {
    const overhead = { quantity: "overhead", unit: "%" } as const;
    const history = days(20, 5).map((level, day) => ({ result: measured(day, level, overhead), environment: kernel }));
    const judged = judge(measured(20, 17, overhead), history);
    expect(judged).toMatchObject({ verdict: "regressed", severity: "medium" });
    expect(judged.change).toBeCloseTo(12, 6);
  });
});

describe("how often a result is called slower by chance", () => {
  it("is what was asked for", () => {
    expect(chooseConfidence(86_400, 1)).toBeCloseTo(1 - 2 / 365.25, 6);
    expect(chooseConfidence(60, 1)).toBe(0.9999);
    expect(chooseConfidence(undefined, 12)).toBeCloseTo(1 - 24 / 365.25, 6);
  });

  it.each([
    ["independent days", 0],
    ["days that hang together", 0.5],
  ])("comes to no more than twice that: %s", (_, correlation) => {
    const count = 1000;
    const values = simulateAr1(11, count, correlation);
    const results = values.map((value, day) => ({ result: measured(day, 1e-3 * Math.exp(0.03 * value)), environment: kernel }));
    let [called, isSlow] = [0, false];
    for (let day = 60; day < count; day++) {
      const { verdict } = judge(results[day].result, results.slice(day - 60, day), { falseAlarmsPerYear: 6 });
      // Days that follow each other are one alarm.
      if (verdict === "regressed" && !isSlow) called++;
      isSlow = verdict === "regressed";
    }
    const perYear = (called / (count - 60)) * 365.25;
    expect(perYear).toBeLessThan(12);
  });
});

describe("a judgement", () => {
  it("never fails, and follows from what it is given alone", () => {
    const figure = fc.oneof(fc.double({ min: 1e-9, max: 10, noNaN: true }), fc.constantFrom(0, -1));
    fc.assert(
      fc.property(fc.array(figure, { maxLength: 20 }), figure, fc.boolean(), (levels, now, isOverhead) => {
        const kind = isOverhead ? ({ quantity: "overhead", unit: "%" } as const) : {};
        const history = levels.map((level, day) => ({ result: measured(day, level, kind), environment: kernel }));
        const judged = judge(measured(30, now, kind), history);
        expect(judge(measured(30, now, kind), history)).toEqual(judged);
        for (const each of [judged.change, judged.before, judged.after]) expect(Number.isFinite(each)).toBe(true);
      }),
    );
  });
});

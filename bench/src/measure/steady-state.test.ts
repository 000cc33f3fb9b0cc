import { createRandom } from "@fleetmark/shared/stats/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classifySteadyState, countSettling, worstVerdict } from "./steady-state.js";

/** Times around levels, each level for so many samples, with relative noise of a share. */
function makeTimes(levels: readonly (readonly [level: number, count: number])[], noise: number, seed = 1): number[] {
  const random = createRandom(seed);
  return levels.flatMap(([level, count]) => Array.from({ length: count }, () => level * (1 + noise * (random() - 0.5))));
}

describe("classifySteadyState", () => {
  it("calls one level flat, and keeps all of it", () => {
    expect(classifySteadyState(makeTimes([[1, 300]], 0.05))).toEqual({ verdict: "flat", start: 0 });
  });

  it("finds where warm-up ends", () => {
    const { verdict, start } = classifySteadyState(
      makeTimes(
        [
          [3, 60],
          [1, 240],
        ],
        0.05,
      ),
    );
    expect(verdict).toBe("warmup");
    expect(Math.abs(start - 60)).toBeLessThanOrEqual(3);
  });

  it("calls it a slowdown when a faster level was left", () => {
    const { verdict, start } = classifySteadyState(
      makeTimes(
        [
          [1, 100],
          [1.5, 200],
        ],
        0.05,
      ),
    );
    expect(verdict).toBe("slowdown");
    expect(Math.abs(start - 100)).toBeLessThanOrEqual(3);
  });

  it("finds no steady state where the level changes near the end", () => {
    expect(
      classifySteadyState(
        makeTimes(
          [
            [1, 270],
            [2, 30],
          ],
          0.05,
        ),
      ).verdict,
    ).toBe("no_steady_state");
  });

  it("finds no steady state in a drift whose steps are small", () => {
    const drift = Array.from({ length: 300 }, (_, i) => 1 + i / 300);
    expect(classifySteadyState(drift).verdict).toBe("no_steady_state");
  });

  it.each([0.1, 0.15, 0.3, -0.15])("mostly finds no steady state in a ramp by %d to the end", (rise) => {
    for (const [n, noise] of [
      [100, 0.02],
      [300, 0.05],
      [3000, 0.1],
    ]) {
      const verdicts = Array.from({ length: 20 }, (_, seed) => {
        const times = makeTimes([[1, n]], noise, seed).map((time, i) => time * (1 + (rise * i) / n));
        return classifySteadyState(times).verdict;
      });
      expect(verdicts.filter((each) => each === "no_steady_state").length, `${n} samples`).toBeGreaterThanOrEqual(14);
    }
  });

  it("does not take what has come to rest for a ramp", () => {
    for (let seed = 0; seed < 20; seed++) {
      const risen = makeTimes([[1, 900]], 0.05, seed).map((time, i) => time * (1 + 0.15 * Math.min(1, i / 100)));
      expect(classifySteadyState(risen).verdict).toBe("slowdown");
      const settling = makeTimes([[1, 900]], 0.05, seed).map((time, i) => time * (1 + 0.5 * Math.exp(-i / 60)));
      expect(["warmup", "flat"]).toContain(classifySteadyState(settling).verdict);
      const slight = makeTimes([[1, 900]], 0.05, seed).map((time, i) => time * (1 + (0.02 * i) / 900));
      expect(["flat", "slowdown"]).toContain(classifySteadyState(slight).verdict);
    }
  });

  it("counts a short excursion from a level and back to it, or at the very end, as noise", () => {
    const back: [number, number][] = [
      [1, 200],
      [1.5, 20],
      [1, 80],
    ];
    expect(classifySteadyState(makeTimes(back, 0.05))).toEqual({ verdict: "flat", start: 0 });
    const ending: [number, number][] = [
      [1, 280],
      [1.5, 20],
    ];
    expect(classifySteadyState(makeTimes(ending, 0.05))).toEqual({ verdict: "flat", start: 0 });
    const long: [number, number][] = [
      [1, 200],
      [1.5, 60],
      [1, 40],
    ];
    expect(classifySteadyState(makeTimes(long, 0.05)).verdict).toBe("no_steady_state");
  });

  it("says nothing of few samples", () => {
    expect(classifySteadyState([1, 1, 1])).toEqual({ verdict: "unclassified", start: 0 });
  });

  it("is not misled by single outliers", () => {
    const times = makeTimes([[1, 300]], 0.05);
    for (const i of [20, 111, 222, 280]) times[i] = 20;
    expect(classifySteadyState(times).verdict).toBe("flat");
  });

  it("gives the same verdict in any unit, and a start within the samples", () => {
    const levels = fc.array(fc.tuple(fc.double({ min: 0.5, max: 4, noNaN: true }), fc.integer({ min: 1, max: 120 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(levels, fc.integer(), fc.constantFrom(2 ** -20, 2 ** -10, 2 ** 10), (chosen, seed, unit) => {
        const times = makeTimes(chosen, 0.1, seed);
        const found = classifySteadyState(times);
        expect(found.start).toBeGreaterThanOrEqual(0);
        expect(found.start).toBeLessThan(times.length);
        expect(classifySteadyState(times.map((time) => time * unit))).toEqual(found);
      }),
      { numRuns: 60 },
    );
  });

  it("seldom calls noise of one level anything but flat", () => {
    const verdicts = Array.from({ length: 100 }, (_, seed) => classifySteadyState(makeTimes([[1, 300]], 0.3, seed)).verdict);
    expect(verdicts.filter((verdict) => verdict !== "flat").length).toBeLessThanOrEqual(5);
  });
});

describe("worstVerdict", () => {
  it("speaks for several runs by the worst", () => {
    expect(worstVerdict(["flat", "warmup", "flat"])).toBe("warmup");
    expect(worstVerdict(["slowdown", "no_steady_state", "unclassified"])).toBe("no_steady_state");
  });
});

describe("countSettling", () => {
  const course = (slow: number, count: number): number[] =>
    makeTimes(
      [
        [4, slow],
        [1, count],
      ],
      0.05,
    );

  it("finds a beginning that the change points of a long run pass over", () => {
    expect(countSettling(course(30, 4000), 1)).toBe(30);
    expect(countSettling(course(0, 4000), 1)).toBe(0);
  });

  it("does not take an excursion for the beginning, and counts all where the level was never reached", () => {
    const times = makeTimes([[1, 400]], 0.05).map((time, i) => (i >= 100 && i < 130 ? 4 * time : time));
    expect(countSettling(times, 1)).toBe(0);
    expect(countSettling(course(200, 0), 1)).toBe(200);
    expect(countSettling([1, 1, 1], 1)).toBe(0);
  });
});

import { normalQuantile } from "@fleetmark/shared/stats/distributions";
import { createRandom } from "@fleetmark/shared/stats/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedReach, chooseSamplesPerRun, estimateVariances, meetsGoal, planNextRun } from "./repetition.js";

/**
 * Samples of some runs whose means differ by `between` and that scatter by `within` (standard deviations, normal
 * noise).
 */
function makeRuns(runs: number, samples: number, between: number, within: number, seed = 1): number[][] {
  const random = createRandom(seed);
  const noise = (sigma: number): number => sigma * normalQuantile((random() + 1e-9) / (1 + 2e-9));
  return Array.from({ length: runs }, () => {
    const centre = 10 + noise(between);
    return Array.from({ length: samples }, () => centre + noise(within));
  });
}

describe("estimateVariances", () => {
  it("tells the level that scatters from the one that does not", () => {
    const samplesScatter = estimateVariances(makeRuns(40, 50, 0, 1));
    expect(samplesScatter.within).toBeCloseTo(Math.PI / 2, 0);
    expect(samplesScatter.between).toBeLessThan(0.05);
    const runsScatter = estimateVariances(makeRuns(40, 50, 1, 0.1));
    expect(runsScatter.within).toBeLessThan(0.05);
    expect(runsScatter.between).toBeGreaterThan(0.5);
  });

  it("asks for no more samples because of a few outliers", () => {
    const runs = makeRuns(10, 100, 0.3, 1);
    const disturbed = runs.map((run) => run.map((sample, i) => (i % 25 === 7 ? 50 : sample)));
    expect(estimateVariances(disturbed).within).toBeLessThan(1.5 * estimateVariances(runs).within);
  });

  it("counts samples that follow each other closely for less", () => {
    const [run] = makeRuns(1, 200, 0, 1);
    const dependent = run.map((_, i) => run[Math.floor(i / 10)]);
    expect(estimateVariances([dependent, dependent]).within).toBeGreaterThan(3 * estimateVariances([run, run]).within);
  });
});

describe("chooseSamplesPerRun", () => {
  it("spends more samples on dear runs, and fewer the more the runs differ", () => {
    expect(chooseSamplesPerRun({ within: 4, between: 1 }, 1, 0.01)).toBe(20);
    expect(chooseSamplesPerRun({ within: 4, between: 4 }, 1, 0.01)).toBe(10);
    expect(chooseSamplesPerRun({ within: 1, between: 0 }, 1, 0.01)).toBe(Number.POSITIVE_INFINITY);
    expect(chooseSamplesPerRun({ within: 0, between: 1 }, 1, 0.01)).toBe(1);
  });
});

describe("the goal", () => {
  it("is a share of a time, points of an overhead, and at least a megabyte of memory", () => {
    expect(allowedReach("s", 0.5, 0.02)).toBeCloseTo(0.01);
    expect(allowedReach("%", 8, 0.02)).toBeCloseTo(2);
    expect(allowedReach("MB", 4, 0.02)).toBe(1);
    expect(meetsGoal({ median: 1, low: 0.985, high: 1.02 }, "s", 0.02)).toBe(true);
    expect(meetsGoal({ median: 1, low: 0.9, high: 1.02 }, "s", 0.02)).toBe(false);
  });
});

describe("planNextRun", () => {
  const limits = { fewestRuns: 3, mostRuns: 20, fewestSamples: 20, mostSamples: 300 };
  const state = {
    runs: makeRuns(3, 50, 0.5, 1),
    warmupSamples: 0,
    runsMade: 3,
    wantedRuns: 20,
    runCostS: 0.3,
    sampleCostS: 0.01,
    budgetS: 10,
    remainingS: 5,
  };

  it("stops at the goal, at the most runs, and when the time left fits no run", () => {
    expect(planNextRun({ ...state, wantedRuns: 3 }, limits)).toBe("stop");
    expect(planNextRun({ ...state, runsMade: 20 }, limits)).toBe("stop");
    expect(planNextRun({ ...state, remainingS: 0.1 }, limits)).toBe("stop");
  });

  it("lets a run go on for longer than it warms up", () => {
    const plan = planNextRun({ ...state, warmupSamples: 60 }, limits);
    expect(plan).toMatchObject({ fewestSamples: 180 });
    expect((plan as { samples: number }).samples).toBeGreaterThanOrEqual(180);
  });

  it("makes three runs whatever they cost, and the fewest even when the first met the goal", () => {
    for (const made of [1, 2]) {
      expect(planNextRun({ ...state, runs: state.runs.slice(0, made), runsMade: made, remainingS: 0 }, limits)).not.toBe("stop");
    }
    expect(planNextRun({ ...state, runs: state.runs.slice(0, 2), runsMade: 2, wantedRuns: 1 }, limits)).not.toBe("stop");
  });

  it("makes one run alone where the budget was too short for more", () => {
    const short = { ...state, budgetS: 0.001, remainingS: 0 };
    expect(planNextRun({ ...short, runs: [], runsMade: 0 }, limits)).not.toBe("stop");
    expect(planNextRun({ ...short, runs: state.runs.slice(0, 1), runsMade: 1 }, limits)).toBe("stop");
  });

  it("never plans fewer samples than say something, nor more than the most", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 19 }),
        fc.double({ min: 0.001, max: 10, noNaN: true }),
        fc.double({ min: 1e-6, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1000, noNaN: true }),
        fc.integer(),
        fc.integer({ min: 0, max: 500 }),
        (runsMade, runCostS, sampleCostS, remainingS, seed, warmupSamples) => {
          const runs = makeRuns(runsMade, 30, 0.3, 1, seed);
          const plan = planNextRun(
            { runs, warmupSamples, runsMade, wantedRuns: undefined, runCostS, sampleCostS, budgetS: 10, remainingS },
            limits,
          );
          if (plan === "stop") return;
          expect(plan.samples).toBeGreaterThanOrEqual(limits.fewestSamples);
          expect(plan.samples).toBeLessThanOrEqual(limits.mostSamples);
          expect(plan.limitS).toBeGreaterThan(0);
        },
      ),
    );
  });
});

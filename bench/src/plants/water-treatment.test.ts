import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../environments/registry.js";
import { computePh, waterParameters as p, waterTreatment } from "./water-treatment.js";

const rates = new Float64Array(waterTreatment.initialState.length);

describe("the pH", () => {
  test.each([
    ["pure water", 0, 0, 7],
    ["a strong acid of 1 mmol/L", 1e-3, 0, 3],
    ["a strong base of 1 mmol/L", -1e-3, 0, 11],
    // Half of the first step's carbonic acid is neutralised: the pH is the pK, but for 0.0004 of the water's own ions.
    ["a buffer at its half", -1e-3, 2e-3, 6.35],
    ["bicarbonate of 10 mmol/L", -1e-2, 1e-2, 8.3],
  ])("of %s is as in the textbook", (_, charge, carbonate, expected) => {
    expect(computePh(charge, carbonate)).toBeCloseTo(expected, 2);
  });

  test("gives back the charge that it came from, and falls as the charge rises", () => {
    const charge = fc.double({ min: -0.019, max: 0.019, noNaN: true });
    const total = fc.double({ min: 0, max: 0.01, noNaN: true });
    fc.assert(
      fc.property(charge, charge, total, (one, other, carbonate) => {
        const h = 10 ** -computePh(one, carbonate);
        const share = (1 + (2 * p.second) / h) / (1 + h / p.first + p.second / h);
        expect(Math.abs(h - p.water / h - carbonate * share - one)).toBeLessThan(1e-9 + 1e-6 * Math.abs(one));
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(computePh(low, carbonate)).toBeGreaterThan(computePh(high, carbonate) - 1e-9);
      }),
    );
  });
});

describe("the plant", () => {
  const amount = fc.double({ min: 0, max: 50, noNaN: true });

  test("conserves particles: flocs are made of what was primary, and the basin keeps what came and did not leave", () => {
    fc.assert(
      fc.property(amount, amount, fc.double({ min: 1, max: 4.5, noNaN: true }), (primary, floc, level) => {
        const state = Float64Array.from(waterTreatment.initialState);
        state.set([level, primary, floc], 2);
        waterTreatment.computeRates(state, new Float64Array(4), rates);
        const volume = p.basinArea * level;
        const outflow = state[12] - p.basinArea * rates[2];
        const held = volume * (rates[3] + rates[4]) + (primary + floc) * p.basinArea * rates[2];
        expect(held).toBeCloseTo(state[12] * state[13] - outflow * (primary + floc), 6);
      }),
    );
  });

  test("conserves charge: caustic soda takes away what alum and raw water bring", () => {
    const state = Float64Array.from(waterTreatment.initialState);
    state[8] = 3;
    state[9] = 50;
    waterTreatment.computeRates(state, new Float64Array(4), rates);
    const held = p.basinArea * (state[2] * rates[0] + state[0] * rates[2]);
    const outflow = state[12] - p.basinArea * rates[2];
    const brought = state[12] * (50 * p.alumAcid - state[14]) - 3 * p.caustic;
    expect(held).toBeCloseTo(brought - outflow * state[0], 9);
  });
});

describe("an episode", () => {
  /** Plays the controller's actions with some replaced, and returns the last outcome. */
  const play = (replaced: Readonly<Record<number, number>>, checkConstraints = true) => {
    const environment = createEnvironment("WaterTreatment-v0", { checkConstraints });
    environment.reset(1);
    const action = new Float64Array(4);
    for (;;) {
      environment.suggestAction(action);
      for (const [i, value] of Object.entries(replaced)) action[Number(i)] = value;
      const outcome = environment.step(action);
      if (outcome.terminated || outcome.truncated) return outcome;
    }
  };

  test("without alum lets turbid water through", () => {
    const { info, observation } = play({ 1: -1 }, false);
    expect(observation[7]).toBeGreaterThan(0.4);
    expect(info.violation).toBe("");
  });

  test("without caustic soda ends acid, and with all of it caustic", () => {
    expect(play({ 0: -1 }, false).observation[0]).toBeLessThan(6.5);
    expect(play({ 0: 1 }, false).observation[0]).toBeGreaterThan(9);
  });

  test("of a closed outlet floods the basin", () => {
    expect(play({ 3: -1 }, false).info.violation).toBe("level");
  });
});

test("twice the velocity gradient doubles what attaches and quadruples what breaks up", () => {
  const at = (gradient: number, primary: number, floc: number): number => {
    const state = Float64Array.from(waterTreatment.initialState);
    state.set([primary, floc], 3);
    state[10] = gradient;
    waterTreatment.computeRates(state, new Float64Array(4), rates);
    return rates[4] + (p.flow / (p.basinArea * p.level)) * floc;
  };
  expect(at(80, 10, 0) / at(40, 10, 0)).toBeCloseTo(2, 9);
  expect(at(80, 0, 10) / at(40, 0, 10)).toBeCloseTo(4, 9);
});

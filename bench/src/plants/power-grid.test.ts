import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createIntegrator, integrateStep } from "../environments/integrator.js";
import { createEnvironment } from "../environments/registry.js";
import { gridParameters as p, powerGrid } from "./power-grid.js";

const rates = new Float64Array(28);
const observation = new Float64Array(32);
const idle = powerGrid.fallbackAction;

describe("the grid", () => {
  const four = (min: number, max: number) => fc.array(fc.double({ min, max, noNaN: true }), { minLength: 4, maxLength: 4 });

  test("loses nothing on its lines: what machines give is what loads take", () => {
    fc.assert(
      fc.property(four(-1, 1), four(0.8, 1.2), four(0.2, 1.2), (angles, voltages, loads) => {
        const state = Float64Array.from(powerGrid.initialState);
        state.set(angles, 0);
        state.set(voltages, 8);
        state.set(loads, 24);
        powerGrid.observe(state, observation);
        const sum = (values: Iterable<number>): number => [...values].reduce((total, each) => total + each, 0);
        expect(sum(observation.slice(28))).toBeCloseTo(sum(loads), 9);
      }),
    );
  });

  test("slows down by the swing equation: a tenth of an area's power too little is half a hertz a second", () => {
    const state = Float64Array.from(powerGrid.initialState);
    state[24] += 0.1;
    powerGrid.computeRates(state, idle, rates);
    expect(rates[4]).toBeCloseTo((-0.1 * p.frequency) / (2 * p.inertia), 12);
    expect(rates[4]).toBeCloseTo(-0.5, 12);
  });

  test("pulls together what drifts apart", () => {
    const state = Float64Array.from(powerGrid.initialState);
    state[0] = 0.3;
    powerGrid.computeRates(state, idle, rates);
    expect(rates[4]).toBeLessThan(0);
    expect(rates[5]).toBeGreaterThan(0);
    expect(rates[7]).toBeGreaterThan(0);
  });

  test("settles by its governors' droop where nobody follows the load", () => {
    const state = Float64Array.from(powerGrid.initialState);
    const step = 0.01;
    for (let area = 0; area < 4; area++) state[24 + area] += 0.05;
    const integrator = createIntegrator(state.length);
    for (let n = 0; n < 6000; n++) {
      integrateStep(integrator, powerGrid.computeRates, state, idle, step);
      powerGrid.projectState(state);
    }
    // Surplus -0.05 = off (damping + 1 / droop), off per unit of frequency (Kundur, eq. 11.11).
    const expected = p.frequency * (1 - 0.05 / (p.damping + 1 / p.droop));
    for (let area = 0; area < 4; area++) expect(state[4 + area]).toBeCloseTo(expected, 3);
  });
});

describe("an episode", () => {
  const play = (replaced: Readonly<Record<number, number>>, checkConstraints = true) => {
    const environment = createEnvironment("PowerGrid-v0", { checkConstraints });
    environment.reset(1);
    const action = new Float64Array(8);
    for (;;) {
      environment.suggestAction(action);
      for (const [i, value] of Object.entries(replaced)) action[Number(i)] = value;
      const outcome = environment.step(action);
      if (outcome.terminated || outcome.truncated) return outcome;
    }
  };

  test("of machines that are told to give nothing is held up by the governors alone, two hertz too low", () => {
    const { observation } = play({ 0: -1, 1: -1, 2: -1, 3: -1 }, false);
    for (let area = 0; area < 4; area++) expect(Math.abs(observation[4 + area] - 48.2)).toBeLessThan(0.3);
  });

  test("with excitation at its end leaves the voltages' limits", () => {
    expect(play({ 4: 1, 5: 1, 6: 1, 7: 1 }, false).observation[8]).toBeGreaterThan(1.15);
  });
});

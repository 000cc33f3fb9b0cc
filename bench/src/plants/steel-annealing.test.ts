import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../environments/registry.js";
import { computeRecrystallised, annealingParameters as p, steelAnnealing } from "./steel-annealing.js";

const rates = new Float64Array(steelAnnealing.initialState.length);

describe("the line", () => {
  test("conserves energy: burners' heat is in walls, in the strip that leaves, or lost", () => {
    const kelvin = fc.double({ min: 320, max: 1300, noNaN: true });
    const six = fc.array(kelvin, { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(six, six, (strips, walls) => {
        const state = Float64Array.from(steelAnnealing.initialState);
        state.set([...strips, ...walls]);
        steelAnnealing.computeRates(state, steelAnnealing.fallbackAction, rates);
        // A section holds strip of half its two-sided area.
        const held = p.density * p.heatCapacity * p.thickness * (p.area / 2);
        const flow = held * (p.speed / p.sectionLength);
        const inStrip = held * rates.slice(0, 6).reduce((sum, rate) => sum + rate, 0) + flow * (strips[5] - p.entry);
        const inWalls = p.wallCapacity * rates.slice(6, 11).reduce((sum, rate) => sum + rate, 0) + p.gasCapacity * rates[11];
        const burnt = state.slice(12, 16).reduce((sum, watts) => sum + watts, 0);
        const heated = walls.slice(0, 4).reduce((sum, each) => sum + p.wallLoss * (each - p.ambient), 0);
        // The passive section and the gas lose what they lose at rest, in proportion to how warm they are.
        const rest = steelAnnealing.initialState;
        const lossAtRest = (from: number, to: number): number =>
          (flow * (from - to)) / (rest[to === p.profile[4] ? 10 : 11] - p.ambient);
        const passive = lossAtRest(p.profile[3], p.profile[4]) * (walls[4] - p.ambient);
        const gas = lossAtRest(p.profile[4], p.profile[5]) * (walls[5] - p.ambient);
        const error = burnt - inStrip - inWalls - heated - passive - gas;
        expect(Math.abs(error)).toBeLessThan(1e-6 * (1e7 + Math.abs(inStrip)));
      }),
    );
  });

  test("heats no strip that is as hot as its walls", () => {
    const state = Float64Array.from(steelAnnealing.initialState);
    for (let i = 0; i < 6; i++) state[i] = state[6 + i] = 800;
    steelAnnealing.computeRates(state, steelAnnealing.fallbackAction, rates);
    for (let i = 1; i < 6; i++) expect(rates[i]).toBeCloseTo(0, 9);
  });

  test("recrystallises the more, the hotter and the longer it soaks, by Arrhenius' law", () => {
    const odds = (kelvin: number, speed = 2): number => {
      const share = computeRecrystallised(kelvin, speed);
      return share / (1 - share);
    };
    expect(odds(1050) / odds(1000)).toBeCloseTo(Math.exp(p.activationTemperature * (1 / 1000 - 1 / 1050)), 6);
    expect(odds(1000, 1) / odds(1000, 2)).toBeCloseTo(2, 9);
    expect(computeRecrystallised(1083, 2)).toBeCloseTo(0.99, 2);
  });
});

describe("an episode", () => {
  const play = (replaced: Readonly<Record<number, number>>) => {
    const environment = createEnvironment("SteelAnnealing-v0", { checkConstraints: false });
    environment.reset(1);
    const action = new Float64Array(6);
    for (;;) {
      environment.suggestAction(action);
      for (const [i, value] of Object.entries(replaced)) action[Number(i)] = value;
      const outcome = environment.step(action);
      if (outcome.terminated || outcome.truncated) return outcome;
    }
  };

  test("without burners leaves the strip cold and as it was rolled", () => {
    const { observation } = play({ 0: -1, 1: -1, 2: -1, 3: -1 });
    expect(observation[3]).toBeLessThan(700);
    expect(observation[19]).toBeLessThan(0.01);
  });

  test("with all burners open overheats the walls", () => {
    const { info, observation } = play({ 0: 1, 1: 1, 2: 1, 3: 1 });
    expect(info.violation !== "" || Math.max(...observation.slice(6, 10)) > 1450).toBe(true);
  });
});

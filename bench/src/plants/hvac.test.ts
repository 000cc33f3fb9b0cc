import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../environments/registry.js";
import { computeElectricPower, hvacControl, hvacParameters as p } from "./hvac.js";

const temperature = fc.double({ min: 0, max: 45, noNaN: true });
const share = fc.double({ min: 0, max: 1, noNaN: true });

/** A state of given temperatures and flows, all else as it begins. */
function makeState(airs: readonly number[], walls: readonly number[], flows: readonly number[]): Float64Array {
  const state = Float64Array.from(hvacControl.initialState);
  state.set([...airs, ...walls, ...flows]);
  return state;
}

const four = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(each, { minLength: 4, maxLength: 4 });

describe("the building", () => {
  test("conserves energy: what is stored is what comes from outside, people, sun and supply; partitions only pass it on", () => {
    const rates = new Float64Array(hvacControl.initialState.length);
    fc.assert(
      fc.property(four(temperature), four(temperature), four(share), (airs, walls, shares) => {
        const flows = shares.map((each) => 0.05 + 0.55 * each);
        const state = makeState(airs, walls, flows);
        hvacControl.computeRates(state, new Float64Array(5), rates);
        const [supply, , outside, sun, people] = state.slice(12);
        let stored = 0;
        let brought = 0;
        for (let zone = 0; zone < 4; zone++) {
          stored += p.airCapacity * rates[zone] + p.wallCapacity * rates[4 + zone];
          brought += p.windows * (outside - airs[zone]) + p.wallToOutside * (outside - walls[zone]);
          brought += flows[zone] * p.airHeat * (supply - airs[zone]) + p.gains[zone] * people + p.apertures[zone] * sun;
        }
        expect(Math.abs(stored - brought)).toBeLessThan(1e-6 * (1e5 + Math.abs(brought)));
      }),
    );
  });

  test("takes power with the cube of the flow where there is nothing to heat or cool", () => {
    const at = (flow: number): number => {
      const state = makeState([14, 14, 14, 14], [14, 14, 14, 14], [flow, flow, flow, flow]);
      state[14] = 14;
      return computeElectricPower(state);
    };
    expect(at(0.6)).toBeCloseTo(p.fanPower, 6);
    expect(at(0.3) * 8).toBeCloseTo(at(0.6), 6);
  });

  test("takes a third of the heat that it moves, either way", () => {
    const state = makeState([20, 20, 20, 20], [20, 20, 20, 20], [0.1, 0.1, 0.1, 0.1]);
    state[14] = 20;
    const fans = p.fanPower * (0.4 / 2.4) ** 3;
    state[12] = 14;
    expect(computeElectricPower(state) - fans).toBeCloseTo((0.4 * p.airHeat * 6) / 3, 6);
    state[12] = 26;
    expect(computeElectricPower(state) - fans).toBeCloseTo((0.4 * p.airHeat * 6) / 3, 6);
  });
});

describe("an episode", () => {
  const play = (action: readonly number[], steps: number) => {
    const environment = createEnvironment("HVACControl-v0", { checkConstraints: false });
    environment.reset(1);
    let observation = new Float64Array(18);
    for (let step = 0; step < steps; step++) {
      const outcome = environment.step(Float64Array.from(action));
      observation = Float64Array.from(outcome.observation);
      if (outcome.terminated) break;
    }
    return observation;
  };

  test("without cold air grows hot and stuffy", () => {
    const [south, ...rest] = play([1, -1, -1, -1, -1], 300);
    expect(south).toBeGreaterThan(30);
    expect(rest[12]).toBeGreaterThan(1000);
  });

  test("with all the cold air that there is grows cold, and costs power", () => {
    const observation = play([-1, 1, 1, 1, 1], 300);
    expect(Math.max(...observation.slice(0, 4))).toBeLessThan(p.setpoint - 1.5);
    expect(observation[17]).toBeGreaterThan(9000);
  });

  test("heats neighbours through partitions", () => {
    const rates = new Float64Array(hvacControl.initialState.length);
    const state = Float64Array.from(hvacControl.initialState);
    hvacControl.computeRates(state, hvacControl.fallbackAction, rates);
    const before = rates[1];
    state[0] += 5;
    hvacControl.computeRates(state, hvacControl.fallbackAction, rates);
    expect((rates[1] - before) * p.airCapacity).toBeCloseTo(5 * p.partition, 6);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Environment } from "../environments/environment.js";
import { createIntegrator, integrateStep } from "../environments/integrator.js";
import { createEnvironment } from "../environments/registry.js";
import { chemicalReactor, reactorParameters as p } from "./chemical-reactor.js";

const create = (checkConstraints = true): Environment => createEnvironment("ChemicalReactor-v0", { checkConstraints });

/** The action that commands the nominal feed, coolant flow and outlet. */
function nominalAction(): Float64Array {
  const observation = new Float64Array(12);
  chemicalReactor.observe(chemicalReactor.initialState, observation);
  const action = new Float64Array(3);
  chemicalReactor.suggestAction(observation, action);
  return action;
}

function computeRates(state: Float64Array, action = nominalAction()): Float64Array {
  const rates = new Float64Array(12);
  chemicalReactor.computeRates(state, action, rates);
  return rates;
}

/** Runs an episode under a constant action and returns its last outcome with the highest temperature. */
function runConstant(environment: Environment, action: readonly number[]) {
  environment.reset(1);
  for (let highest = 0; ; ) {
    const outcome = environment.step(Float64Array.from(action));
    highest = Math.max(highest, outcome.observation[1]);
    if (outcome.terminated || outcome.truncated) return { ...outcome, highest };
  }
}

describe("the model", () => {
  test("rests at the published steady state: 0.5 mol/L and 350 K with 300 K in the jacket", () => {
    const state = chemicalReactor.initialState;
    expect([...state.slice(0, 4)]).toEqual([0.5, 350, 300, 100]);
    // The published figures are rounded: k is 0.99994/min there, not 1, which heats by 6 mK/min.
    const rates = computeRates(state);
    expect(Math.abs(rates[0])).toBeLessThan(1e-4);
    expect(Math.abs(rates[1])).toBeLessThan(0.02);
    for (const index of [2, 3, 5, 6, 7]) expect(rates[index]).toBeCloseTo(0, 9);
  });

  test("the steady state is open-loop unstable, as published", () => {
    const hotter = Float64Array.from(chemicalReactor.initialState);
    hotter[1] += 1;
    hotter[2] += 0.14;
    expect(computeRates(hotter)[1]).toBeGreaterThan(1);
  });

  test("conserves energy: what reaction, feed and coolant bring is what the contents store", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 300, max: 440, noNaN: true }),
        fc.double({ min: 280, max: 370, noNaN: true }),
        fc.double({ min: 20, max: 180, noNaN: true }),
        (concentration, temperature, jacket, volume) => {
          const state = Float64Array.from(chemicalReactor.initialState);
          state.set([concentration, temperature, jacket, volume]);
          const rates = computeRates(state);
          const reacted = p.frequencyFactor * Math.exp(-p.activationTemperature / temperature) * concentration * volume;
          const stored = volume * p.heatCapacity * rates[1] + p.jacketVolume * p.coolantHeatCapacity * rates[2];
          const brought =
            p.reactionHeat * reacted +
            state[5] * p.heatCapacity * (state[8] - temperature) +
            state[6] * p.coolantHeatCapacity * (state[10] - jacket);
          expect(Math.abs(stored - brought)).toBeLessThan(1e-9 * (Math.abs(stored) + 1e7));
          // A: fed less what leaves with the mixed outflow less what reacts is the change of the amount V·c.
          const outflow = state[5] - rates[3];
          const change = volume * rates[0] + concentration * rates[3];
          expect(change).toBeCloseTo(state[5] * state[9] - outflow * concentration - reacted, 4);
        },
      ),
    );
  });

  test("the integrator converges at fourth order", () => {
    const integrator = createIntegrator(1);
    const integrate = (steps: number): number => {
      const state = Float64Array.of(1);
      const decay = (x: Float64Array, _: Float64Array, rates: Float64Array): void => {
        rates[0] = -2 * x[0];
      };
      for (let i = 0; i < steps; i++) integrateStep(integrator, decay, state, state, 1 / steps);
      return Math.abs(state[0] - Math.exp(-2));
    };
    expect(integrate(10) / integrate(20)).toBeGreaterThan(14);
    expect(integrate(10) / integrate(20)).toBeLessThan(19);
  });
});

describe("episodes", () => {
  test("the environment's controller holds the setpoint for a whole episode, which is truncated at 1000 steps", () => {
    const environment = create();
    environment.reset(1);
    const action = new Float64Array(3);
    let total = 0;
    for (let step = 1; step <= 1000; step++) {
      environment.suggestAction(action);
      const outcome = environment.step(action);
      total += outcome.reward;
      expect(outcome.terminated).toBe(false);
      expect(outcome.truncated).toBe(step === 1000);
    }
    expect(total).toBeGreaterThan(900);
  });

  test("without cooling the reaction runs away, and the hard temperature limit ends the episode", () => {
    const { terminated, info, highest, reward } = runConstant(create(), [0, -1, 0]);
    expect(terminated).toBe(true);
    expect(info.violation).toBe("temperature");
    expect(highest).toBeGreaterThan(400);
    expect(reward).toBeLessThan(-50);
  });

  test("unchecked, the runaway goes on until the model's envelope is left", () => {
    const { info, highest } = runConstant(create(false), [0, -1, 0]);
    expect(info.violation).toBe("temperature");
    expect(highest).toBeGreaterThan(450);
    expect(info.cost).toBe(0);
  });

  test("full cooling extinguishes the reaction: soft limits cost, nothing terminates", () => {
    const { truncated, terminated, info } = runConstant(create(), [0, 1, 0]);
    expect([truncated, terminated]).toEqual([true, false]);
    expect(info.cost).toBeGreaterThan(0);
  });

  test("a closed outlet overfills the vessel", () => {
    expect(runConstant(create(false), [1, 1, -1]).info.violation).toBe("volume");
  });
});

describe("actions", () => {
  test("beyond the space are clipped to it", () => {
    const [wild, edge] = [create(false), create(false)];
    wild.reset(2);
    edge.reset(2);
    const expected = [...edge.step(Float64Array.of(1, -1, 1)).observation];
    expect([...wild.step(Float64Array.of(50, -1e9, 2)).observation]).toEqual(expected);
  });

  test.each([
    ["a NaN", [0, Number.NaN, 0]],
    ["an infinity", [Number.POSITIVE_INFINITY, 0, 0]],
    ["two numbers", [0, 0]],
  ])("%s is refused and leaves the state as it was", (_, action) => {
    const [refusing, untouched] = [create(), create()];
    refusing.reset(2);
    untouched.reset(2);
    expect(() => refusing.step(Float64Array.from(action))).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
    const next = nominalAction();
    expect([...refusing.step(next).observation]).toEqual([...untouched.step(next).observation]);
  });

  test("a step returns the same objects every time and leaves the caller's action alone", () => {
    const environment = create();
    const { observation } = environment.reset(1);
    const action = Float64Array.of(9, 0, 0);
    const first = environment.step(action);
    const { info } = first;
    const second = environment.step(action);
    expect(second).toBe(first);
    expect(second.info).toBe(info);
    expect(second.observation).toBe(observation);
    expect([...action]).toEqual([9, 0, 0]);
  });
});

test("an unknown environment is refused with the names of those that exist", () => {
  expect(() => createEnvironment("Nothing-v0", { checkConstraints: true })).toThrow(/ChemicalReactor-v0/);
});

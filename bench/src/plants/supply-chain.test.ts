import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../environments/registry.js";
import { supplyParameters as p, supplyChain } from "./supply-chain.js";

const rates = new Float64Array(28);
const sum = (values: Iterable<number>): number => [...values].reduce((total, each) => total + each, 0);

describe("the chain", () => {
  test("conserves goods: what is in stocks and pipelines is what was bought and has not been sold", () => {
    const amounts = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 28, maxLength: 28 });
    const orders = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(amounts, orders, (state, action) => {
        supplyChain.computeRates(Float64Array.from(state), Float64Array.from(action), rates);
        for (const product of [0, 1]) {
          const at = 14 * product;
          const bought = ((action[5 * product] + 1) / 2) * 2.5 * sum(p.demand[product]);
          // What customers were not given is owed to them.
          const sold = sum(state.slice(at + 12, at + 14)) - sum(rates.slice(at + 10, at + 12));
          expect(sum(rates.slice(at, at + 10))).toBeCloseTo(bought - sold, 6);
        }
      }),
    );
  });

  test("makes no more than the factory can, and shares it", () => {
    const state = Float64Array.from(supplyChain.initialState);
    state[0] = state[14] = 1000;
    supplyChain.computeRates(state, new Float64Array(10).fill(1), rates);
    const made = [0, 14].map((at) => rates[at + 6] + state[at + 6] / p.lead[1]);
    expect(sum(made)).toBeCloseTo(p.capacity, 9);
    expect(made[0] / made[1]).toBeCloseTo(35 / 22, 9);
  });

  test("hands out nothing that it does not have, and owes it", () => {
    const state = Float64Array.from(supplyChain.initialState);
    state[3] = 0;
    supplyChain.computeRates(state, supplyChain.fallbackAction, rates);
    expect(rates[10]).toBeCloseTo(state[12], 9);
  });
});

describe("an episode", () => {
  const play = (replaced: Readonly<Record<number, number>>) => {
    const environment = createEnvironment("SupplyChain-v0", { checkConstraints: false });
    environment.reset(1);
    const action = new Float64Array(10);
    for (;;) {
      environment.suggestAction(action);
      for (const [i, value] of Object.entries(replaced)) action[Number(i)] = value;
      const outcome = environment.step(action);
      if (outcome.terminated || outcome.truncated) return outcome;
    }
  };

  test("without purchases ends with customers who wait for months", () => {
    const { observation } = play({ 0: -1 });
    expect(observation[10]).toBeGreaterThan(100 * p.demand[0][0]);
    expect(sum(observation.slice(0, 5))).toBeLessThan(10);
  });

  test("that buys all it can fills the store of raw material", () => {
    expect(play({ 0: 1 }).info.violation).toBe("first_raw_stock");
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chemicalReactor as plant } from "../plants/chemical-reactor.js";
import { computeCost, createSafetyLayer, findViolation } from "./safety.js";

const nominal = new Float64Array(12);
plant.observe(plant.initialState, nominal);

/** Filters an action at a state and returns what passes. */
function filter(state: Float64Array, action: readonly number[], before: readonly number[]) {
  const observation = new Float64Array(12);
  plant.observe(state, observation);
  const passed = Float64Array.from(action);
  const layer = createSafetyLayer(plant);
  layer.assess(observation);
  const intervened = layer.filterAction(state, Float64Array.from(before), passed);
  return { intervened, action: [...passed] };
}

describe("the safety layer", () => {
  test("lets a calm action at the setpoint pass", () => {
    expect(filter(plant.initialState, [0.05, -0.8, 0], [0, -0.8, 0])).toEqual({ intervened: false, action: [0.05, -0.8, 0] });
  });

  test("limits the rate of change of each action", () => {
    const { action } = filter(plant.initialState, [1, -0.8, -1], [0, -0.8, 0]);
    expect(action[0]).toBeCloseTo(plant.actionRate[0], 12);
    expect(action[2]).toBeCloseTo(-plant.actionRate[2], 12);
  });

  test("takes over with full cooling before the temperature limit is reached", () => {
    const hot = Float64Array.from(plant.initialState);
    hot[1] = 385;
    const { intervened, action } = filter(hot, [0, -1, 0], [0, -1, 0]);
    expect(intervened).toBe(true);
    expect(action).toEqual([...plant.fallbackAction]);
  });
});

test("one pass over the constraints tells what each tells by itself", () => {
  const layer = createSafetyLayer(plant);
  const value = fc.oneof(fc.double({ min: -10, max: 500 }), fc.constant(Number.NaN));
  fc.assert(
    fc.property(fc.array(value, { minLength: 12, maxLength: 12 }), (numbers) => {
      const observation = Float64Array.from(numbers);
      layer.assess(observation);
      expect([layer.cost, layer.violation]).toEqual([
        computeCost(plant.constraints, observation),
        findViolation(plant.constraints, observation),
      ]);
    }),
  );
});

test("a violation names its quantity, and NaN violates", () => {
  expect(findViolation(plant.constraints, nominal)).toBe("");
  const hot = Float64Array.from(nominal);
  hot[1] = 400.5;
  expect(findViolation(plant.constraints, hot)).toBe("temperature");
  hot[1] = Number.NaN;
  expect(findViolation(plant.constraints, hot)).toBe("temperature");
});

test("cost is the excess over soft limits in fractions of the way to the hard ones", () => {
  expect(computeCost(plant.constraints, nominal)).toBe(0);
  const both = Float64Array.from(nominal);
  both[1] = 385; // half way from 370 to 400
  both[3] = 60; // half way from 80 to 40
  expect(computeCost(plant.constraints, both)).toBeCloseTo(1, 12);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createIntegrator, integrateStep } from "./integrator.js";
import { createEnvironment, environments, plants } from "./registry.js";

/** Observations and actions as the suite's users know them. */
const sizes: Readonly<Record<string, readonly [number, number]>> = {
  "ChemicalReactor-v0": [12, 3],
  "HVACControl-v0": [18, 5],
  "PowerGrid-v0": [32, 8],
  "RobotAssembly-v0": [24, 7],
  "SteelAnnealing-v0": [20, 6],
  "SupplyChain-v0": [28, 10],
  "WaterTreatment-v0": [15, 4],
};

test("every environment is tried here", () => {
  expect(environments.map(({ id }) => id).sort()).toEqual(Object.keys(sizes).sort());
});

describe.each(environments.map(({ id }) => id))("%s", (id) => {
  const create = (checkConstraints = true) => createEnvironment(id, { checkConstraints });
  const { observationSpace, actionSpace, maxSteps } = create();

  test("has the sizes that it is known by, with a name and a unit for each number", () => {
    expect([observationSpace.low.length, actionSpace.low.length]).toEqual(sizes[id]);
    for (const { names, units, low, high } of [observationSpace, actionSpace]) {
      expect([names.length, units.length, new Set(names).size]).toEqual([low.length, low.length, low.length]);
      expect(low.every((value, i) => value < high[i])).toBe(true);
    }
  });

  test("plays equal episodes for equal seeds and actions, and others for other seeds", () => {
    const play = (seed: number): number[] => {
      const environment = create();
      const action = new Float64Array(actionSpace.low.length);
      environment.reset(seed);
      return Array.from({ length: 50 }, () => {
        environment.suggestAction(action);
        const { observation, reward } = environment.step(action);
        return [...observation, reward];
      }).flat();
    };
    expect(play(3)).toEqual(play(3));
    expect(play(3)).not.toEqual(play(4));
  });

  test.each([1, 2, 3, 4, 5])("is kept within its soft limits by its own controller, seed %i", (seed) => {
    const environment = create();
    const action = new Float64Array(actionSpace.low.length);
    environment.reset(seed);
    for (let step = 1; step <= maxSteps; step++) {
      environment.suggestAction(action);
      const { terminated, truncated, info } = environment.step(action);
      expect([step, terminated, info.violation, info.cost]).toEqual([step, false, "", 0]);
      expect(truncated).toBe(step === maxSteps);
    }
  });

  test("earns its controller more than it earns chance", () => {
    const play = (isRandom: boolean): number => {
      const environment = create();
      const action = new Float64Array(actionSpace.low.length);
      environment.reset(1);
      let total = 0;
      for (let step = 0; step < maxSteps; step++) {
        environment.suggestAction(action);
        if (isRandom) for (let i = 0; i < action.length; i++) action[i] = Math.sin(1000 * (step * action.length + i));
        const { reward, terminated } = environment.step(action);
        total += reward;
        if (terminated) break;
      }
      return total;
    };
    expect(play(false)).toBeGreaterThan(play(true));
  });

  test("stays finite and inside its space for all actions and seeds, checked or not", () => {
    const wild = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const actions = fc.array(fc.array(wild, { minLength: actionSpace.low.length, maxLength: actionSpace.low.length }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), fc.boolean(), actions, (seed, checked, holds, sequence) => {
        const environment = create(checked);
        environment.reset(seed);
        // One action held for long leads further than many that change.
        const played = holds ? Array.from({ length: 300 }, () => sequence[0]) : sequence;
        for (const action of played) {
          const { observation, reward, terminated } = environment.step(Float64Array.from(action));
          expect(Number.isFinite(reward)).toBe(true);
          const outside = [...observation].findIndex(
            (value, i) => !(value >= observationSpace.low[i] && value <= observationSpace.high[i]),
          );
          expect([observationSpace.names[outside], observation[outside]]).toEqual([undefined, undefined]);
          if (terminated) return;
        }
      }),
      { numRuns: 100 },
    );
  });

  test("clips actions beyond its space, and refuses what is no action", () => {
    const [wild, edge] = [create(false), create(false)];
    wild.reset(2);
    edge.reset(2);
    const far = Float64Array.from(actionSpace.low, (_, i) => (i % 2 === 0 ? 50 : -1e9));
    const near = Float64Array.from(actionSpace.low, (low, i) => (i % 2 === 0 ? actionSpace.high[i] : low));
    expect([...wild.step(far).observation]).toEqual([...edge.step(near).observation]);
    expect(() => edge.step(far.fill(Number.NaN))).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
    expect(() => edge.step(new Float64Array(far.length + 1))).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
  });
});

describe.each(plants.map((plant) => [plant.id, plant] as const))("the plant of %s", (_, plant) => {
  const { initialState, observationSpace, actionSpace } = plant;
  const observation = new Float64Array(observationSpace.low.length);
  const action = new Float64Array(actionSpace.low.length);
  const rates = new Float64Array(initialState.length);

  test("begins at rest under its controller, or where that has somewhere to go, when it is told to stay", () => {
    plant.observe(initialState, observation);
    if (plant.id === "RobotAssembly-v0") action.set(plant.fallbackAction);
    else plant.suggestAction(observation, action);
    plant.computeRates(initialState, action, rates);
    const moved = [...rates].map((rate, i) => Math.abs(rate * plant.interval) / Math.max(1e-9, Math.abs(initialState[i])));
    // Filters clog at rest too.
    const atRest = moved.filter((_, i) => plant.id !== "WaterTreatment-v0" || i !== 7);
    expect(Math.max(...atRest)).toBeLessThan(1e-4);
  });

  test("names constraints and disturbances that it has", () => {
    for (const { index, hardLow, softLow, softHigh, hardHigh } of plant.constraints) {
      expect(index).toBeLessThan(observation.length);
      expect([hardLow < softLow, softLow < softHigh, softHigh < hardHigh]).toEqual([true, true, true]);
    }
    for (const { index, deviation, relaxation } of plant.disturbances) {
      expect([index < initialState.length, deviation > 0, relaxation > 0]).toEqual([true, true, true]);
    }
    expect([plant.actionRate.length, plant.fallbackAction.length]).toEqual([action.length, action.length]);
  });

  test("is integrated finely enough: half the step changes an interval's outcome by less than a thousandth of its range", () => {
    const after = (substeps: number): Float64Array => {
      const state = Float64Array.from(initialState);
      const integrator = createIntegrator(state.length);
      const step = plant.interval / substeps;
      for (let n = 0; n < substeps; n++) integrateStep(integrator, plant.computeRates, state, full, step);
      plant.observe(state, observation);
      return Float64Array.from(observation);
    };
    const full = Float64Array.from(actionSpace.high);
    const [coarse, fine] = [after(plant.substeps), after(2 * plant.substeps)];
    const errors = [...coarse].map(
      (value, i) => Math.abs(value - fine[i]) / (observationSpace.high[i] - observationSpace.low[i]),
    );
    expect(Math.max(...errors)).toBeLessThan(1e-3);
  });
});

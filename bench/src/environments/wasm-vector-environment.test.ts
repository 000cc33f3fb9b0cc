import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createIntegrator, integrateStep } from "./integrator.js";
import { createLoopedEnvironment } from "./looped-vector-environment.js";
import { defineProcessEnvironment } from "./process-environment.js";
import { plants } from "./registry.js";
import { createVectorEnvironment } from "./vector-registry.js";

const compiled = plants.filter((plant) => plant.compiled !== undefined);

test("the reactor and at least one more are compiled", () => {
  expect(compiled.map(({ id }) => id)).toContain("ChemicalReactor-v0");
  expect(compiled.length).toBeGreaterThan(1);
});

/** How far numbers are apart, relative to their size. */
const measureDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]) / (1 + Math.abs(b[i]))));

describe.each(compiled.map((plant) => [plant.id, plant] as const))("%s in WebAssembly", (id, plant) => {
  const lengthOf = plant.actionSpace.low.length;
  const oracle = defineProcessEnvironment({ ...plant, substeps: plant.compiled?.substeps ?? plant.substeps });

  test("does what plain environments do, whatever the actions, to the last digits", () => {
    const ends = { terminated: 0, truncated: 0 };
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (seed, count, checkConstraints, wildness) => {
          const fast = createVectorEnvironment(id, count, { checkConstraints });
          const plain = createLoopedEnvironment(oracle, count, { checkConstraints });
          expect([fast.implementation, plain.implementation]).toEqual(["wasm-simd", "loop"]);
          expect(measureDistance(fast.reset(seed), plain.reset(seed))).toBeLessThan(1e-12);
          const actions = new Float64Array(count * lengthOf);
          for (let step = 0; step < 60; step++) {
            // Each by its own controller: of what is unstable, differences in the last digit would grow. One command is
            // held for a while, and drives some plants out of their limits.
            const [mine, known] = [fast, plain].map((vector) => {
              vector.suggestActions(actions);
              for (let i = 0; i < actions.length; i++)
                actions[i] += wildness * Math.sin(i * 7 + Math.floor(step / 20) * 3 + seed);
              return vector.step(actions);
            });
            expect([...mine.terminated]).toEqual([...known.terminated]);
            expect([...mine.truncated]).toEqual([...known.truncated]);
            expect(measureDistance(mine.observations, known.observations)).toBeLessThan(1e-9);
            expect(measureDistance(mine.rewards, known.rewards)).toBeLessThan(1e-9);
            for (const each of known.terminated) ends.terminated += each;
          }
        },
      ),
      { numRuns: 40, seed: 1 },
    );
    if (id === "ChemicalReactor-v0") expect(ends.terminated).toBeGreaterThan(0);
  });

  test("plays whole episodes like them, and begins anew by itself", () => {
    const [fast, plain] = [
      createVectorEnvironment(id, 3, { checkConstraints: true }),
      createLoopedEnvironment(oracle, 3, { checkConstraints: true }),
    ];
    fast.reset(9);
    plain.reset(9);
    const actions = new Float64Array(3 * lengthOf);
    let truncated = 0;
    for (let step = 0; step < plant.maxSteps + 5; step++) {
      fast.suggestActions(actions);
      const mine = fast.step(actions);
      plain.suggestActions(actions);
      const known = plain.step(actions);
      expect(measureDistance(mine.observations, known.observations)).toBeLessThan(1e-9);
      expect([...mine.truncated]).toEqual([...known.truncated]);
      for (const each of mine.truncated) truncated += each;
    }
    expect(truncated).toBe(3);
  });

  test("gives an environment the same life, whoever is beside it", () => {
    const play = (count: number): number[] => {
      const vector = createVectorEnvironment(id, count, { checkConstraints: false });
      vector.reset(4);
      const actions = new Float64Array(count * lengthOf);
      for (let step = 0; step < 60; step++) {
        // Its own action, and neighbours that are driven hard.
        for (let i = 0; i < actions.length; i++) actions[i] = i < lengthOf ? 0.1 : i % 2 === 0 ? 1 : -1;
        vector.step(actions);
      }
      return [...vector.step(actions).observations.subarray(0, vector.observationLength)];
    };
    expect(play(1)).toEqual(play(2));
    expect(play(1)).toEqual(play(6));
  });

  test("refuses what are no actions, with nothing changed", () => {
    const vector = createVectorEnvironment(id, 3, { checkConstraints: true });
    const before = [...vector.reset(1)];
    const actions = new Float64Array(3 * lengthOf);
    expect(() => vector.step(actions.subarray(1))).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      actions[lengthOf] = wrong;
      expect(() => vector.step(actions)).toThrow(/environment 1/);
    }
    actions.fill(0);
    const clean = createVectorEnvironment(id, 3, { checkConstraints: true });
    expect([...clean.reset(1)]).toEqual(before);
    expect([...vector.step(actions).observations]).toEqual([...clean.step(actions).observations]);
  });
});

describe("the reactor's integrator", () => {
  const plant = plants.find(({ id }) => id === "ChemicalReactor-v0");
  if (plant?.stiff === undefined || plant.compiled === undefined) throw new Error("the reactor is stiff, and compiled");
  const { stiff, interval, constraints, compiled: many } = plant;
  const shown = new Float64Array(plant.observationSpace.low.length);
  const rates = new Float64Array(plant.initialState.length);

  const play = (state: Float64Array, action: Float64Array, substeps: number): Float64Array => {
    const moved = Float64Array.from(state);
    const integrator = createIntegrator(state.length);
    for (let n = 0; n < substeps; n++) {
      integrateStep(integrator, plant.computeRates, moved, action, interval / substeps);
      plant.projectState(moved);
    }
    plant.observe(moved, shown);
    return Float64Array.from(shown);
  };

  test("errs by less than 1e-5 of the soft limits' widths, 2e-4 for many at once, 2e-3 in a runaway, against 256 steps", () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    const bound = { calm: 0, many: 0, runaway: 0 };
    fc.assert(
      fc.property(fc.array(unit, { minLength: 12, maxLength: 12 }), ([c, t, j, v, g, f, k, o, ft, a, b, d]) => {
        const state = Float64Array.from(plant.initialState);
        state.set([
          1.1 * c,
          300 + 100 * t,
          276 + 80 * j,
          50 + 100 * v,
          state[4] * (0.5 + g),
          50 + 100 * f,
          300 * k,
          o,
          345 + 10 * ft,
        ]);
        const action = Float64Array.of(2 * a - 1, 2 * b - 1, 2 * d - 1);
        const known = play(state, action, 256);
        // Beyond the envelope the episode ends, and the model means nothing.
        if (known[stiff.index] > 450) return;
        plant.computeRates(state, action, rates);
        const isStiff = Math.max(state[stiff.index], state[stiff.index] + interval * rates[stiff.index]) > stiff.above;
        const compare = (kind: keyof typeof bound, substeps: number): void => {
          const found = play(state, action, substeps);
          for (const { index, softLow, softHigh } of constraints)
            bound[kind] = Math.max(bound[kind], Math.abs(found[index] - known[index]) / (softHigh - softLow));
        };
        if (isStiff) compare("runaway", stiff.substeps);
        else {
          compare("calm", plant.substeps);
          compare("many", many.substeps);
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(bound.calm).toBeGreaterThan(0);
    expect(bound.calm).toBeLessThan(1e-5);
    expect(bound.many).toBeLessThan(2e-4);
    expect(bound.runaway).toBeLessThan(2e-3);
  });
});

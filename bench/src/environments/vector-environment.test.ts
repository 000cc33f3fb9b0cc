import { describe, expect, test } from "vitest";
import { defineProcessEnvironment } from "./process-environment.js";
import { createEnvironment, environments, findPlant } from "./registry.js";
import { createVectorEnvironment } from "./vector-registry.js";

const checked = { checkConstraints: true };

describe.each(environments.map(({ id }) => id))("many of %s", (id) => {
  test("do what each would do alone", () => {
    // In as many steps of the integrator.
    const plant = findPlant(id);
    const definition = defineProcessEnvironment({ ...plant, substeps: plant.compiled?.substeps ?? plant.substeps });
    const vector = createVectorEnvironment(id, 3, checked);
    const alone = [7, 8, 9].map((seed) => {
      const environment = definition.create(checked);
      environment.reset(seed);
      return environment;
    });
    const first = vector.reset(7);
    expect(first.length).toBe(3 * vector.observationLength);
    const actions = new Float64Array(3 * vector.actionLength);
    for (let step = 0; step < 20; step++) {
      vector.suggestActions(actions);
      const { observations, rewards } = vector.step(actions);
      for (const [i, environment] of alone.entries()) {
        const own = actions.slice(i * vector.actionLength, (i + 1) * vector.actionLength);
        const { observation, reward } = environment.step(own);
        const mine = [...observations.slice(i * vector.observationLength, (i + 1) * vector.observationLength), rewards[i]];
        const known = [...observation, reward];
        // WebAssembly may differ in the last digits, and no other may.
        if (vector.implementation === "loop") expect(mine).toEqual(known);
        const apart = mine.map((value, k) => Math.abs(value - known[k]) / (1 + Math.abs(known[k])));
        expect(Math.max(...apart)).toBeLessThan(1e-10);
      }
    }
  });
});

test("an episode that ended begins anew at the next step, whatever the action, and the others go on", () => {
  const vector = createVectorEnvironment("ChemicalReactor-v0", 2, checked);
  vector.reset(1);
  // The first runs away without coolant, the second is left alone.
  const actions = new Float64Array(6);
  for (let step = 0; ; step++) {
    vector.suggestActions(actions);
    actions.set([0, -1, 0], 0);
    const { terminated, rewards } = vector.step(actions);
    expect(step).toBeLessThan(1000);
    if (terminated[0] === 0) continue;
    expect([rewards[0] < -50, terminated[1]]).toEqual([true, 0]);
    break;
  }
  const { observations, rewards, terminated } = vector.step(actions.fill(1));
  const fresh = createEnvironment("ChemicalReactor-v0", checked).reset(3).observation;
  expect([...observations.slice(0, 12)]).toEqual([...fresh]);
  expect([rewards[0], terminated[0]]).toEqual([0, 0]);
});

test("actions that are too few or no numbers are refused", () => {
  const vector = createVectorEnvironment("PowerGrid-v0", 2, checked);
  vector.reset(1);
  for (const wrong of [new Float64Array(15), new Float64Array(16).fill(Number.NaN)]) {
    expect(() => vector.step(wrong)).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
  }
  // One that is no number moves none of them.
  const half = new Float64Array(16);
  half[8] = Number.NaN;
  expect(() => vector.step(half)).toThrow(/environment 1/);
  const clean = createVectorEnvironment("PowerGrid-v0", 2, checked);
  clean.reset(1);
  half[8] = 0;
  expect([...vector.step(half).observations]).toEqual([...clean.step(half).observations]);
});

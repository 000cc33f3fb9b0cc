import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../environments/registry.js";
import { computeContact, computePose, robotParameters as p, robotAssembly } from "./robot-assembly.js";

const rates = new Float64Array(16);
const makePose = () => ({ axes: new Float64Array(21), origins: new Float64Array(21), tip: new Float64Array(3) });

/** Where the tip is at some angles. */
function findTip(angles: ArrayLike<number>): number[] {
  return [...computePose(angles, makePose()).tip];
}

describe("the arm", () => {
  test("is where the maker's documents say that it is when it is at home", () => {
    // The flange of a Panda at (0, -45, 0, -135, 0, 90, 45) degrees lies at 0.307 m, 0, 0.590 m.
    const [x, y, z] = findTip(p.home);
    expect([x, y, z + p.peg].map((value) => Number(value.toFixed(3)))).toEqual([0.307, 0, 0.59]);
  });

  test("is stretched to the sum of its links where all joints are straight", () => {
    const [x, y, z] = findTip(new Float64Array(7));
    expect(x).toBeCloseTo(0.088, 9);
    expect(y).toBeCloseTo(0, 9);
    expect(z).toBeCloseTo(0.333 + 0.316 + 0.384 - p.flange - p.peg, 9);
  });

  test("is pushed at its joints by the gradient of the contact's potential", () => {
    const home = findTip(p.home);
    const potential = (angles: ArrayLike<number>): number => {
      const [x, y, z] = findTip(angles);
      const off = Math.hypot(x - home[0], y - home[1]);
      const surface = (-p.depth / 2) * (1 + Math.tanh((p.radius - off) / p.chamfer));
      const pressed = Math.max(0, surface - (z - home[2] + p.height));
      return (p.stiffness / 2) * pressed * pressed;
    };
    const near = fc.array(fc.double({ min: -0.02, max: 0.02, noNaN: true }), { minLength: 7, maxLength: 7 });
    let touched = 0;
    fc.assert(
      fc.property(near, (offsets) => {
        const state = Float64Array.from(robotAssembly.initialState);
        for (let joint = 0; joint < 7; joint++) state[joint] += offsets[joint];
        // Down to where the tip touches, by the elbow.
        while (findTip(state)[2] > home[2] - p.height - 0.004 && state[3] > -3) state[3] -= 0.002;
        robotAssembly.computeRates(state, new Float64Array(7), rates);
        const pressed = potential(state);
        // Where it gives way no further the potential is another.
        if (pressed >= (p.stiffness / 2) * p.deepest ** 2) return;
        if (pressed > 0) touched++;
        for (let joint = 0; joint < 7; joint++) {
          const [less, more] = [-1e-6, 1e-6].map((step) => {
            const moved = Float64Array.from(state);
            moved[joint] += step;
            return potential(moved);
          });
          const torque = -(more - less) / 2e-6;
          expect(Math.abs(rates[7 + joint] * p.inertias[joint] - torque)).toBeLessThan(1e-3 + 1e-4 * Math.abs(torque));
        }
      }),
      { seed: 1, numRuns: 100 },
    );
    expect(touched).toBeGreaterThan(10);
  });
});

describe("the hole", () => {
  const push = (x: number, y: number, z: number): number[] => [...computeContact(x, y, z, new Float64Array(3))];

  test("lets the peg in, and pushes up where it stands beside it", () => {
    expect(push(0, 0, -0.02)).toEqual([-0, -0, 0].map((value) => expect.closeTo(value, 9)));
    const [x, y, z] = push(0.05, 0, -0.001);
    expect([x, y, z]).toEqual([expect.closeTo(0, 3), expect.closeTo(0, 3), expect.closeTo(20, 3)]);
  });

  test("leads it in along the chamfer", () => {
    const [x, y, z] = push(0.006, 0.006, -0.015);
    expect(Math.max(x, y)).toBeLessThan(0);
    expect(x).toBeCloseTo(y, 9);
    expect(z).toBeGreaterThan(0);
  });
});

describe("an episode", () => {
  const environment = createEnvironment("RobotAssembly-v0", { checkConstraints: true });
  const action = new Float64Array(7);

  test.each([1, 2, 3])("ends with the peg in the hole and upright, seed %i", (seed) => {
    environment.reset(seed);
    for (;;) {
      environment.suggestAction(action);
      const { observation, truncated } = environment.step(action);
      if (!truncated) continue;
      expect(observation[20]).toBeGreaterThan(0.9 * p.goal);
      expect(observation[23]).toBeLessThan(0.01);
      return;
    }
  });

  test("that drives the arm into the table is stopped by the safety layer, or ends by the force", () => {
    const play = (checkConstraints: boolean) => {
      const other = createEnvironment("RobotAssembly-v0", { checkConstraints });
      other.reset(1);
      let most = 0;
      for (let step = 0; step < 300; step++) {
        const { observation, terminated, info } = other.step(Float64Array.of(0.3, 1, 0, -1, 0, 0, 0));
        most = Math.max(most, observation[22]);
        if (terminated) return { most, violation: info.violation };
      }
      return { most, violation: "" };
    };
    const [free, checked] = [play(false), play(true)];
    expect(free.most).toBeGreaterThan(50);
    expect(checked.most < free.most || checked.violation !== "").toBe(true);
  });
});

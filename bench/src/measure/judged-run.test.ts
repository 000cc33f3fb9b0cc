import type { SteadyState } from "@fleetmark/shared/model/result";
import { describe, expect, it } from "vitest";
import { describeDisturbances, listDisturbances } from "../machine/disturbance.js";
import { chooseRuns, judgeDisturbance } from "./judged-run.js";
import { worstVerdict } from "./steady-state.js";

const fullS = 3e-5;
const calm = { wait: 0, steal: 0, others: 0, memoryStall: 0, throttles: 0, slowdown: 0, paceLoss: 0 };

/** Windows of which so many had a neighbour on their core, which left them two thirds of it. */
const makeWindows = (count: number, slow: number) =>
  Array.from({ length: count }, (_, i) => ({ disturbed: false, workS: i < slow ? 1.5 * fullS : fullS }));

describe("a process run", () => {
  it.each([
    [20, 0, false],
    [20, 4, false],
    [20, 5, true],
    [20, 20, true],
    [1, 1, true],
  ])("of %i windows, %i of them on a shared core, is disturbed: %s", (count, slow, disturbed) => {
    const judged = judgeDisturbance({ exposure: calm, windows: makeWindows(count, slow) }, fullS);
    expect(judged).toMatchObject({ disturbed, disturbedWindows: slow });
    expect(listDisturbances(judged.exposure)).toEqual(disturbed ? ["paceLoss"] : []);
    expect(describeDisturbances([judged.exposure])).toBe(disturbed ? "the core lost 33 % of its pace" : "");
  });

  it("counts a window once that is disturbed in two ways", () => {
    const windows = makeWindows(10, 1).map((window, i) => ({ ...window, disturbed: i < 2 }));
    expect(judgeDisturbance({ exposure: calm, windows }, fullS)).toMatchObject({ disturbed: false, disturbedWindows: 2 });
  });
});

describe("chooseRuns", () => {
  type Sketch = { verdict: SteadyState; disturbed: boolean };
  const flat: Sketch = { verdict: "flat", disturbed: false };
  const warm: Sketch = { verdict: "warmup", disturbed: false };
  const unsettled: Sketch = { verdict: "no_steady_state", disturbed: false };
  const disturbed: Sketch = { verdict: "flat", disturbed: true };

  it.each([
    ["the worst verdict of runs that all settled", [flat, warm, flat], [flat, warm, flat], "warmup"],
    ["without the few that did not settle", [flat, unsettled, warm], [flat, warm], "warmup"],
    ["all where half did not settle", [flat, unsettled, warm, unsettled], [flat, unsettled, warm, unsettled], "no_steady_state"],
    ["undisturbed ones where there are enough", [flat, disturbed, flat, flat], [flat, flat, flat], "flat"],
    ["disturbed ones too where there are not", [flat, disturbed, flat], [flat, disturbed, flat], "flat"],
    ["a single one", [unsettled], [unsettled], "no_steady_state"],
  ] as const)("takes %s", (_, made, counted, verdict) => {
    const chosen = chooseRuns(made, 3);
    expect(chosen).toEqual(counted);
    expect(worstVerdict(chosen.map((run) => run.verdict))).toBe(verdict);
  });
});

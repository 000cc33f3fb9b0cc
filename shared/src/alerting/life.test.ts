import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dampen, type Found, type Life, stepLife } from "./life.js";

const patience = { forS: 30, keepS: 60 };

/** Lives through what was found every ten seconds; each letter is a finding: b breached, c clear, u unknown. */
function live(letters: string, { forS, keepS } = patience, elapsedS = 10) {
  const findings: Readonly<Record<string, Found>> = { b: "breached", c: "clear", u: "unknown" };
  let life: Life | undefined;
  let begins: readonly number[] = [];
  return [...letters].map((letter, i) => {
    const moment = { nowUs: i * 10e6, elapsedS };
    const step = stepLife(life, findings[letter] ?? "unknown", { forS, keepS }, moment, moment.nowUs, begins);
    begins = (step.life ?? life)?.begins ?? begins;
    life = step.life;
    return `${life?.state ?? "none"}${step.transition === undefined ? "" : "!"}`;
  });
}

describe("the life of an alert", () => {
  it("waits, fires once, and is resolved once it has been clear for long enough", () => {
    expect(live("bbbbbcccccc")).toEqual([
      ...["pending!", "pending", "pending", "firing!", "firing"],
      ...["firing", "firing", "firing", "firing", "firing", "none!"],
    ]);
    expect(live("bbc")).toEqual(["pending!", "pending", "none!"]);
    expect(live("bc", { forS: 0, keepS: 0 })).toEqual(["firing!", "none!"]);
  });

  it("stays as it is while nothing can be told of it", () => {
    expect(live("buuuuuub").at(-1)).toBe("pending");
    expect(live(`bbbb${"u".repeat(50)}`).at(-1)).toBe("firing");
    expect(live("u")).toEqual(["none"]);
  });

  it("goes on where it comes back before it was resolved", () => {
    expect(live("bbbbcccccbccccc").filter((each) => each.endsWith("!"))).toEqual(["pending!", "firing!"]);
  });

  it("that comes and goes is kept for longer each time", () => {
    expect(
      [0, 1, 2, 3, 9].map((count) =>
        dampen(
          Array.from({ length: count }, () => 0),
          1,
        ),
      ),
    ).toEqual([1, 1, 2, 4, 16]);
    const once = `bbbb${"c".repeat(6)}`;
    const resolved = (clear: number): number => live(`${once}bbbb${"c".repeat(clear)}`).filter((each) => each === "none!").length;
    // Of the second time ten minutes are needed.
    expect([resolved(6), resolved(59), resolved(60)]).toEqual([1, 1, 2]);
  });

  /** What was seen, in a list, in place of a state: the simplest that is right. */
  function decideByHistory(letters: string, forS: number, keepS: number): string[] {
    const states: string[] = [];
    let state = "none";
    let counted = 0;
    const fired: number[] = [];
    for (const [i, letter] of [...letters].entries()) {
      if (state === "none" && letter === "b") {
        [state, counted] = [forS <= 0 ? "firing" : "pending", 0];
        if (state === "firing") fired.push(i);
      } else if (state === "pending" && letter === "b") {
        counted += 10;
        if (counted >= forS) {
          [state, counted] = ["firing", 0];
          fired.push(i);
        }
      } else if (state === "pending" && letter === "c") state = "none";
      else if (state === "firing" && letter === "b") counted = 0;
      else if (state === "firing" && letter === "c") {
        counted += 10;
        const damping = Math.min(16, 2 ** (fired.length - 1));
        if (counted >= Math.max(keepS, damping > 1 ? 300 : 0) * damping) [state, counted] = ["none", 0];
      }
      states.push(state);
    }
    return states;
  }

  it("is that of a plain reference, whatever is found", () => {
    const letters = fc.string({ unit: fc.constantFrom("b", "b", "c", "c", "u"), maxLength: 200 });
    const seconds = fc.integer({ min: 0, max: 6 }).map((tens) => 10 * tens);
    fc.assert(
      fc.property(letters, seconds, seconds, (found, forS, keepS) => {
        const lived = live(found, { forS, keepS }).map((each) => each.replace("!", ""));
        expect(lived).toEqual(decideByHistory(found, forS, keepS));
      }),
    );
  });

  it("tells of each change of state, and of nothing else", () => {
    const letters = fc.string({ unit: fc.constantFrom("b", "c", "u"), maxLength: 100 });
    fc.assert(
      fc.property(letters, (found) => {
        let before = "none";
        for (const each of live(found)) {
          const state = each.replace("!", "");
          expect(each.endsWith("!")).toBe(state !== before);
          before = state;
        }
      }),
    );
  });

  it("counts no time that did not pass: a clock that leaps fires nothing", () => {
    const life: Life = { state: "pending", sinceUs: 0, firedUs: undefined, countedS: 0, begins: [] };
    expect(stepLife(life, "breached", patience, { nowUs: 1e15, elapsedS: 10 }).life?.state).toBe("pending");
    expect(stepLife(life, "breached", patience, { nowUs: -1e15, elapsedS: 30 }).life?.state).toBe("firing");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchGlob } from "./glob.js";

describe("matchGlob", () => {
  it.each([
    ["policy*", "policy_forward{batch=1} jax-js/cpu", true],
    ["*jax-js*", "policy_forward{batch=1} jax-js/cpu", true],
    ["policy", "policy_forward", false],
    ["batch=?", "batch=1", true],
    ["a.c", "abc", false],
    ["{batch=1}", "{batch=1}", true],
  ])("%s on %s is %s", (glob, text, expected) => {
    expect(matchGlob(glob, text)).toBe(expected);
  });

  it("takes every text without wildcards for itself", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const literal = text.replace(/[*?]/g, "");
        expect(matchGlob(literal, literal)).toBe(true);
        expect(matchGlob("*", text)).toBe(true);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutEnd, cutMiddle, escapeControls, measureWidth, pad, wrapText } from "./width.js";

const names = fc.string({ unit: fc.constantFrom("a", "Ä", "漢", "e\u0301", "👩‍👩‍👧", "🇩🇪", "ｶ", "/", " ") });

describe("widths", () => {
  it("count cells: wide characters take two, combining marks none, colours none", () => {
    expect(["abc", "漢字", "e\u0301", "👩‍👩‍👧", "\u001b[31mred\u001b[39m"].map(measureWidth)).toEqual([3, 4, 1, 2, 3]);
  });

  it("are kept by every cut, which never parts a character", () => {
    fc.assert(
      fc.property(names, fc.nat(30), (text, cells) => {
        for (const cut of [cutEnd(text, cells), cutMiddle(text, cells)]) {
          expect(measureWidth(cut)).toBeLessThanOrEqual(cells);
          expect(cut).not.toMatch(/…\u0301|\u200d…|…\u200d/u);
        }
        expect(measureWidth(pad(cutMiddle(text, cells), cells, "left"))).toBe(cells);
      }),
    );
  });

  it.each([
    ["policy_forward{batch=1} jax-js/cpu", 20, "policy_for…ax-js/cpu"],
    ["漢字漢字漢字", 7, "漢…漢字"],
    ["short", 5, "short"],
    ["longer", 0, ""],
  ])("cut %j in its middle to %i cells", (text, cells, cut) => {
    expect(cutMiddle(text, cells)).toBe(cut);
  });
});

describe("control characters", () => {
  it.each([
    ["a\nb\tc", "a\\nb\\tc"],
    ["\u001b[2J\u0007", "\\x1b[2J\\x07"],
    ["\u009b1m", "\\x9b1m"],
    ["evil\u202egpj", "evil\\u202egpj"],
    ["naïve 漢 👩‍👩‍👧", "naïve 漢 👩‍👩‍👧"],
  ])("of %j are shown", (text, shown) => {
    expect(escapeControls(text)).toBe(shown);
  });
});

describe("wrapping", () => {
  it("breaks between words alone, and keeps a lead and an indent", () => {
    expect(wrapText("one two three four", 9)).toBe("one two\nthree\nfour");
    expect(wrapText("  one two three", 9, "  ")).toBe("  one two\n    three");
    expect(wrapText("see /a/very/long/path now", 8)).toBe("see\n/a/very/long/path\nnow");
  });

  it("leaves lines that fit, and all of them where nothing ends", () => {
    expect(wrapText("a b\n\nc", 3)).toBe("a b\n\nc");
    expect(wrapText("a long line of words", Number.POSITIVE_INFINITY)).toBe("a long line of words");
  });
});

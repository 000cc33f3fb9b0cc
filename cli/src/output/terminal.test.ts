import { describe, expect, it } from "vitest";
import { isScreen, readWidth, takesColours } from "./terminal.js";

const screen = (columns: number) => ({ isTTY: true, columns }) as NodeJS.WriteStream;
const pipe = { isTTY: false, columns: 0 } as unknown as NodeJS.WriteStream;

describe("the width of lines", () => {
  it.each([
    [screen(100), {}, 100],
    [screen(20), {}, 20],
    [screen(0), {}, 80],
    [screen(0), { COLUMNS: "40" }, 40],
    [screen(100), { COLUMNS: "60" }, 60],
    [screen(60), { COLUMNS: "100" }, 60],
    [screen(100), { COLUMNS: "0" }, 100],
    [screen(100), { COLUMNS: "wide" }, 100],
    [pipe, {}, Number.POSITIVE_INFINITY],
    [pipe, { COLUMNS: "80" }, 80],
  ])("of %o with %o is %d", (stream, environment, width) => {
    expect(readWidth(stream, environment)).toBe(width);
  });
});

describe("colours", () => {
  it.each([
    [screen(80), {}, true],
    [pipe, {}, false],
    [screen(80), { NO_COLOR: "1" }, false],
    [screen(80), { NO_COLOR: "" }, true],
    [screen(80), { TERM: "dumb" }, false],
    [pipe, { FORCE_COLOR: "1" }, true],
    [pipe, { FORCE_COLOR: "1", NO_COLOR: "1" }, true],
    [screen(80), { FORCE_COLOR: "0" }, false],
  ])("on %o with %o: %s", (stream, environment, takes) => {
    expect(takesColours(stream, environment)).toBe(takes);
  });
});

describe("drawing over lines", () => {
  it.each([
    [screen(80), {}, true],
    [screen(80), { TERM: "dumb" }, false],
    [screen(80), { CI: "true" }, false],
    [pipe, {}, false],
  ])("on %o with %o: %s", (stream, environment, draws) => {
    expect(isScreen(stream, environment)).toBe(draws);
  });
});

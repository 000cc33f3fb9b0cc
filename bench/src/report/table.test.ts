import { describe, expect, it } from "vitest";
import { formatNumber, formatSeconds, formatTable } from "./table.js";

const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;

describe("formatTable", () => {
  it("lines columns up, whatever their colours, and leaves no trailing space", () => {
    const columns = [
      { title: "name", align: "left" },
      { title: "n", align: "right" },
      { title: "note", align: "left" },
    ] as const;
    const rows = [
      [red("a"), "1", "x"],
      ["long", "23456", ""],
    ];
    const lines = formatTable(columns, rows, (text) => text).split("\n");
    expect(lines[0]).toBe("name      n  note");
    expect(lines[1]).toBe(`${red("a")}         1  x`);
    expect(lines[2]).toBe("long  23456");
  });
});

describe("numbers", () => {
  it.each([
    [0, "0"],
    [0.00001234, "1.23e-5"],
    [0.0123456, "0.0123"],
    [4.5678, "4.57"],
    [99.95, "100"],
    [123.4, "123"],
    [9999.6, "10 000"],
    [1_234_567, "1 234 567"],
    [-0.5, "-0.500"],
    [-12_345, "-12 345"],
  ])("writes %d as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it.each([
    [2e-9, "2.00 ns"],
    [1.5e-5, "15.0 µs"],
    [0.25, "250 ms"],
    [2, "2.00 s"],
  ])("writes %d s as %s", (value, text) => {
    expect(formatSeconds(value)).toBe(text);
  });
});

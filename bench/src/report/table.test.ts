import { describe, expect, it } from "vitest";
import { formatTable } from "./table.js";

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

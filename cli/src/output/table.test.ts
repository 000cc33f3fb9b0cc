import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { writeCsv } from "./csv.js";
import { writeMarkdown } from "./markdown.js";
import type { Column, Table } from "./table.js";
import { layOutTable } from "./text-table.js";
import { measureWidth } from "./width.js";

interface Row {
  readonly host: string;
  readonly name: string;
  readonly n: number | null;
}

const host: Column<Row> = { key: "host", title: "host", align: "left", value: (row) => row.host, least: 8 };
const name: Column<Row> = { key: "name", title: "benchmark", align: "left", value: (row) => row.name };
const n: Column<Row> = { key: "n", title: "n", align: "right", value: (row) => row.n, text: (row) => `${row.n} times`, rank: 1 };
const unit: Column<Row> = { key: "unit", title: "unit", align: "left", value: () => "s", only: "programs" };
const note: Column<Row> = {
  key: "note",
  title: "note",
  align: "left",
  value: () => null,
  text: () => "fine",
  paint: (_, colours) => colours.green,
  rank: 2,
  only: "people",
};

const rows: readonly Row[] = [
  { host: "gpu-7", name: "policy_forward{batch=1} jax-js/cpu", n: 3 },
  { host: "gpu-10", name: "policy_forward{batch=1} jax-js/cpu", n: 12 },
];
const table = (columns: readonly Column<Row>[], of: readonly Row[] = rows): Table<Row> => ({ columns, rows: of });
const plain = pc.createColors(false);
const layOut = (columns: readonly Column<Row>[], cells: number, of?: readonly Row[]) =>
  layOutTable(table(columns, of), cells, plain);

describe("a table on a terminal", () => {
  it("lines columns up, whatever their colours, and leaves no trailing space", () => {
    const { text, left } = layOutTable(table([host, n, note]), Number.POSITIVE_INFINITY, pc.createColors(true));
    const lines = stripVTControlCharacters(text).split("\n");
    expect(lines).toEqual(["host           n  note", "gpu-7    3 times  fine", "gpu-10  12 times  fine"]);
    expect(text).toContain("\u001b[32mfine");
    expect(left).toEqual([]);
  });

  it("loses columns by rank, and says which", () => {
    const { text, left } = layOut([name, n, note], 40);
    expect(text.split("\n")[1]).toBe("policy_forward{batch=1} jax-js/cpu  fine");
    expect(left).toEqual(["n"]);
    expect(layOut([name, n, note], 35).left).toEqual(["n", "note"]);
  });

  it("cuts names in their middle", () => {
    expect(layOut([{ ...name, least: 10 }, n], 30).text.split("\n")[2]).toBe("policy_for…ax-js/cpu  12 times");
  });

  it("puts the lead column above the others, once for rows that share it", () => {
    const lead = { ...name, isLead: true as const };
    expect(layOut([lead, host, note, n], 30)).toEqual({
      text: [
        "benchmark",
        "  host    note         n",
        "policy_forward{…=1} jax-js/cpu",
        "  gpu-7   fine   3 times",
        "  gpu-10  fine  12 times",
      ].join("\n"),
      left: [],
    });
  });

  it("becomes blocks of lines where what must stay doesn't fit", () => {
    const { text, left } = layOut([host, name, n], 20);
    expect(text.split("\n").slice(0, 5)).toEqual([
      "host: gpu-7",
      "benchmark:",
      "  policy_fo…batch=1}",
      "  jax-js/cpu",
      "n: 3 times",
    ]);
    expect(left).toEqual([]);
  });

  it("counts wide characters and shows control characters", () => {
    const { text } = layOut([host, n], 80, [{ host: "漢字\n\u001b[2J", name: "", n: 1 }]);
    expect(text.split("\n")).toHaveLength(2);
    expect(text).toContain("漢字\\n\\x1b[2J  1 times");
  });

  it("is never wider than the terminal, whatever is in it", () => {
    const lead = { ...name, isLead: true as const };
    fc.assert(
      fc.property(
        fc.array(fc.record({ host: fc.string(), name: fc.string(), n: fc.nat() })),
        fc.integer({ min: 12, max: 90 }),
        (of, cells) => {
          for (const columns of [
            [host, name, n, note],
            [lead, host, n, note],
          ]) {
            const { text } = layOut(columns, cells, of);
            for (const line of text.split("\n")) expect(measureWidth(line)).toBeLessThanOrEqual(cells);
          }
        },
      ),
    );
  });
});

/** Reads CSV as RFC 4180 has it. */
function parseCsv(text: string): string[][] {
  const field = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
  const records: string[][] = [[]];
  for (let at = 0; at < text.length; ) {
    field.lastIndex = at;
    const [whole = "", quoted, bare = ""] = field.exec(text) ?? [];
    records.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare);
    at += whole.length;
    if (text.startsWith("\r\n", at) && at + 2 < text.length) records.push([]);
    at += text.startsWith(",", at) ? 1 : 2;
  }
  return records;
}

describe("CSV", () => {
  it("gives programs plain values, each line ended by CR LF", () => {
    expect(writeCsv(table([host, n, unit, note]))).toBe("host,n,unit\r\ngpu-7,3,s\r\ngpu-10,12,s\r\n");
    expect(writeCsv(table([host, n], [{ host: 'a "b", c\nd', name: "", n: null }]))).toBe('host,n\r\n"a ""b"", c\nd",\r\n');
  });

  it("reads back", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ host: fc.string({ unit: "binary" }), name: fc.string(), n: fc.constant(1) })), (of) => {
        expect(parseCsv(writeCsv(table([host, name, n], of)))).toEqual([
          ["host", "name", "n"],
          ...of.map((row) => [row.host, row.name, "1"]),
        ]);
      }),
    );
  });
});

describe("markdown", () => {
  it("lines columns up by their sides, and lets nothing be read as markup", () => {
    const of = [{ host: "a|b\n*c*", name: "f{x=1} <i>_y_ p_q", n: 1 }];
    expect(writeMarkdown(table([host, name, n, unit], of))).toBe(
      "| host | benchmark | n |\n| --- | --- | ---: |\n| a\\|b\\\\n\\*c\\* | f{x=1} \\<i\\>\\_y\\_ p_q | 1 times |\n",
    );
  });
});

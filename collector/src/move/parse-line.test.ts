import type { Point } from "@fleetmark/shared/model/series";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildBatch } from "../../test/support.js";
import { formatLines } from "../store/influx/lines/line-protocol.js";
import { createLineParser } from "./parse-line.js";
import { readLines } from "./read-lines.js";

const parse = createLineParser();

async function* cut(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function collect(text: string, size = 7): Promise<{ number: number; text: string }[]> {
  const lines: { number: number; text: string }[] = [];
  for await (const line of readLines(cut(text, size))) lines.push(line);
  return lines;
}

const tagValue = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
    fc.constantFrom('a "b', "a\\,b", "a\\\\ b", "=", ",", " x", "#"),
  )
  .filter((text) => !/\p{Cc}/u.test(text) && !text.endsWith("\\"));
const fieldValue = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
  fc.constantFrom(1e308, -0, 5e-324, "ends in \\", 'two\nlines "quoted", x=1 2', "\r\n", "\\\n", ""),
);
const point: fc.Arbitrary<Point> = fc.record({
  measurement: fc.constantFrom("cpu", "_m1"),
  tags: fc.dictionary(fc.constantFrom("cpu", "name", "_t"), tagValue),
  timeUs: fc.integer({ min: 0, max: 2 ** 52 }),
  fields: fc.dictionary(fc.constantFrom("a", "b_1", "c"), fieldValue, { minKeys: 1 }),
});

describe("the parser of line protocol", () => {
  it("reads back whatever is written, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(point, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 50 }), async (points, size) => {
        // At one time a series has one value.
        const own = points.map((each, i) => ({ ...each, timeUs: each.timeUs + i, tags: { ...each.tags, n: String(i) } }));
        const lines = await collect(`${formatLines([buildBatch(1, own)]).join("\n")}\n`, size);
        const read = lines.map((line) => parse(line.text, "us"));
        const expected = own.map((each) => ({ ...each, tags: { ...each.tags, host: "h1" } }));
        const sort = (list: Point[]): Point[] => [...list].sort((a, b) => Number(a.tags.n) - Number(b.tags.n));
        expect(sort(read)).toEqual(sort(expected));
      }),
      { numRuns: 300 },
    );
  });

  it("throws errors alone, whatever it is given", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: fc.constantFrom(...'cpu,= "\\1i\n') })), (text) => {
        try {
          parse(text, "ns");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["cpu,host=a usage=1i,big=18446744073709551615u 1700000000000000001", { usage: 1, big: 18446744073709552000 }],
    ["cpu,host=a usage=+1.5E3,x=.5 1700000000000000001", { usage: 1500, x: 0.5 }],
    ['cpu,host=a note="a, b=c \\"d\\" \\\\" 1700000000000000001', { note: 'a, b=c "d" \\' }],
  ])("reads what others write: %s", (line, fields) => {
    expect(parse(line, "ns")).toEqual({ measurement: "cpu", tags: { host: "a" }, timeUs: 1_700_000_000_000_000, fields });
  });

  it("reads times of each unit", () => {
    for (const [precision, text] of Object.entries({
      ns: "1700000000123456789",
      us: "1700000000123456",
      ms: "1700000000123",
      s: "1700000000",
    })) {
      const { timeUs } = parse(`m f=1 ${text}`, precision as "ns");
      expect(timeUs).toBe(precision === "s" ? 1.7e15 : precision === "ms" ? 1_700_000_000_123_000 : 1_700_000_000_123_456);
    }
  });

  it.each([
    ["cpu", /no fields/],
    ["cpu usage=1", /no time/],
    ["cpu usage=1 soon", /no time/],
    ["cpu usage=1 99999999999999999999999", /out of range/],
    ["cpu usage=abc 1", /no finite number/],
    ["cpu usage=NaN 1", /no finite number/],
    ["cpu usage=1e999 1", /no finite number/],
    ["cpu on=true 1", /boolean/],
    ['cpu note="x 1', /has no end/],
    ["cpu,host usage=1 1", /without key or value/],
    ["cpu,host=a,host=b usage=1 1", /given twice/],
    ["win\\ cpu usage=1 1", /not a name/],
    ["cpu a-b=1 1", /not a name/],
  ])("says what is wrong with %s", (line, message) => {
    expect(() => parse(line, "ns")).toThrow(message);
  });
});

describe("the reader of lines", () => {
  it("joins the lines of a text, and numbers what it gives", async () => {
    expect(await collect('a x=1 1\nb,t="q x="one\ntwo" 2\n\nc x=1 3')).toEqual([
      { number: 1, text: "a x=1 1" },
      { number: 2, text: 'b,t="q x="one\ntwo" 2' },
      { number: 4, text: "" },
      { number: 5, text: "c x=1 3" },
    ]);
  });

  it("gives back the lines that a text without end seemed to hold", async () => {
    const lines = await collect('a x="open 1\nb x=1 2\nc x=1 3\n', 1000);
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3]);
    const long = Array.from({ length: 60_000 }, (_, i) => `measurement_of_some_length,host=abc usage=${i} ${i + 1}`).join("\n");
    const all = await collect(`a x="open 1\n${long}\n`, 65_536);
    expect(all).toHaveLength(60_001);
    expect(all.at(-1)?.number).toBe(60_001);
  });
});

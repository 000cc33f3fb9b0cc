import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSeries } from "./parse-series.js";

const parse = (text: string, column?: string) => parseSeries(text, "here", column);

describe("a series", () => {
  it.each([
    ["[1, 2.5, null, 3]", { values: [1, 2.5, 3], places: [0, 1, 3], times: undefined }],
    ['[["a", 1], ["b", null], ["c", 2]]', { values: [1, 2], places: [0, 2], times: ["a", "c"] }],
    ['[{"time": 5, "value": 1}, {"time": 6, "value": 2}]', { values: [1, 2], places: [0, 1], times: [5, 6] }],
    ["1\n2\n\n3\n", { values: [1, 2, 3], places: [0, 1, 2], times: undefined }],
    ["time,p50,p99\nx,1,10\ny,NA,\nz,3,30", { values: [10, 30], places: [0, 2], times: ["x", "z"] }],
    ["\uFEFF2024-01-01;1e3\r\n2024-01-02;2e3\r\n", { values: [1000, 2000], places: [0, 1], times: ["2024-01-01", "2024-01-02"] }],
  ])("is read from %j", (text, series) => expect(parse(text)).toEqual(series));

  it("is the column that is named", () => {
    expect(parse("time,p50,p99\nx,1,10\ny,2,20", "p50").values).toEqual([1, 2]);
    expect(() => parse("time,p50,p99\nx,1,10", "p5")).toThrow(/no column p5; did you mean p50\?/);
  });

  it.each([
    ["", /it is empty/],
    ["[1, 2", /begins as JSON and is none/],
    ['{"a": 1}', /it is JSON, and no array/],
    ['[1, "2"]', /element 1 is no number/],
    ["[[1, 2, 3]]", /element 0 is no number/],
    ["value\n1\nx2\n", /line 3: "x2" is no number/],
    ["1\n1e999\n", /line 2: "1e999" is no number/],
  ])("is not read from %j", (text, message) => expect(() => parse(text)).toThrow(message));

  it("is read, or refused with a word, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.double()).map((all) => all.join("\n")),
        ),
        (text) => {
          try {
            const { values, places } = parse(text);
            expect(values.every(Number.isFinite)).toBe(true);
            expect(places.length).toBe(values.length);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: "USAGE" });
          }
        },
      ),
    );
  });
});

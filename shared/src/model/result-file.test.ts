import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FleetmarkError } from "../errors.js";
import { parseBaseline, parseNames } from "./result-file.js";

const plain = {
  name: "jit",
  category: "jax",
  duration: 1.5,
  memory_peak_mb: 100,
  memory_current_mb: 90,
  cpu_percent: 98.5,
  iterations: 100,
  throughput: 66.7,
  metadata: { size: 1000 },
};

describe("parseBaseline", () => {
  it("refuses a file that has a benchmark twice", () => {
    expect(() => parseBaseline(JSON.stringify({ results: [plain, plain] }), "old.json")).toThrow(
      expect.objectContaining({ code: "RESULT_FILE_INVALID", message: expect.stringContaining("jit twice") }),
    );
  });

  it("reads a file of the Python suite", () => {
    expect(parseBaseline(JSON.stringify({ results: [plain, { ...plain, name: "copy", throughput: null }] }), "old.json")).toEqual(
      {
        entries: [
          { name: "jit", category: "jax", throughput: 66.7, memoryPeakMb: 100, result: undefined },
          { name: "copy", category: "jax", throughput: undefined, memoryPeakMb: 100, result: undefined },
        ],
        run: undefined,
      },
    );
  });

  it("calls what another suite measured by our names", () => {
    const text = JSON.stringify({ results: [plain, { ...plain, name: "copy" }] });
    const names = parseNames('{"jit":"jit_compile{kernel=k} jax-js/cpu"}', "names.json");
    expect(parseBaseline(text, "old.json", names).entries.map(({ name }) => name)).toEqual([
      "jit_compile{kernel=k} jax-js/cpu",
      "copy",
    ]);
    const refuse = (map: string, message: RegExp) =>
      expect(() => parseBaseline(text, "old.json", parseNames(map, "names.json"))).toThrow(
        expect.objectContaining({ code: "RESULT_FILE_INVALID", message: expect.stringMatching(message) }),
      );
    refuse('{"jit":"copy"}', /copy twice/);
    refuse('{"jitt":"x"}', /none of the map's jitt/);
    refuse('["jit"]', /their name/);
    refuse('{"jit":7}', /their name/);
  });

  it("reads past a byte order mark", () => {
    expect(parseBaseline(`\uFEFF${JSON.stringify({ results: [plain] })}`, "old.json").entries).toHaveLength(1);
  });

  it.each([
    ["", /old.json is not JSON/],
    ["[]", /old.json/],
    ['{"results":[{"name":"x"}]}', /results\.0\.category/],
    [JSON.stringify({ results: [{ ...plain, duration: -1 }] }), /results\.0\.duration/],
    ['{"format":"fleetmark-results/9"}', /format/],
  ])("refuses %s and says what is wrong", (text, message) => {
    expect(() => parseBaseline(text, "old.json")).toThrow(message);
    expect(() => parseBaseline(text, "old.json")).toThrow(expect.objectContaining({ code: "RESULT_FILE_INVALID" }));
  });

  it("refuses anything else with a coded error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseBaseline(text, "any");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(FleetmarkError);
        }
      }),
    );
  });
});

import { seriesKey } from "@fleetmark/shared/model/series";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildBatch } from "../../../test/support.js";
import { gatherRefused, parseRefused, type RefusalCode, readRefused, refusalCodes } from "./refused-samples.js";

const point = fc.record({
  measurement: fc.constantFrom("cpu", "mem"),
  tags: fc.dictionary(fc.constantFrom("a", "b"), fc.string({ minLength: 1, maxLength: 5 }), { maxKeys: 2 }),
  timeUs: fc.integer({ min: 0, max: 2 ** 52 }),
  fields: fc.dictionary(
    fc.constantFrom("x", "y"),
    fc.oneof(fc.double(), fc.string(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY)),
    { minKeys: 1, maxKeys: 2 },
  ),
});
const verdict = fc.option(fc.constantFrom<RefusalCode>(...refusalCodes), { nil: undefined });

describe("refused samples", () => {
  it("read back as they were, without those that were stored", () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), fc.infiniteStream(verdict), (points, verdicts) => {
        const batch = buildBatch(7, points);
        const take = (count: number) => Array.from({ length: count }, () => verdicts.next().value);
        const [ofNumbers, ofTexts] = [take(batch.numbers.values.length), take(batch.texts.values.length)];
        const back = readRefused(JSON.stringify(gatherRefused(batch, ofNumbers, ofTexts)));
        const list = (from: typeof batch, kind: "numbers" | "texts", wanted: (i: number) => boolean) =>
          from[kind].values.flatMap((value, i) =>
            wanted(i)
              ? [[seriesKey(from.series[from[kind].series[i]]), from[kind].timeUs[i], Object.is(value, -0) ? 0 : value]]
              : [],
          );
        expect(list(back, "numbers", () => true)).toEqual(list(batch, "numbers", (i) => ofNumbers[i] !== undefined));
        expect(list(back, "texts", () => true)).toEqual(list(batch, "texts", (i) => ofTexts[i] !== undefined));
      }),
    );
  });

  it("are named by the batch that they came in, whatever of it was refused", () => {
    const name = (sequence: number, codes: (RefusalCode | undefined)[]) => {
      const points = [1, 2].map((x) => ({ measurement: "cpu", tags: {}, timeUs: x, fields: { x } }));
      return readRefused(JSON.stringify(gatherRefused(buildBatch(sequence, points), codes, []))).id;
    };
    expect(name(1, ["TIME_AHEAD", undefined])).toEqual(name(1, ["TIME_AHEAD", "TIME_AHEAD"]));
    expect(name(1, ["TIME_AHEAD", undefined])).not.toEqual(name(2, ["TIME_AHEAD", undefined]));
    expect(name(1, ["TIME_AHEAD", undefined]).sequence).toBeGreaterThanOrEqual(2 ** 52);
  });

  it.each([
    "",
    "{}",
    "[1]",
    '{"format":"fleetmark-refused/1","batch":{"host":"","epoch_us":1,"sequence":1},"series":[],"samples":[]}',
  ])("are refused themselves where they make no sense: %s", (text) => {
    expect(() => readRefused(text)).toThrow(expect.objectContaining({ code: "BATCH_MALFORMED" }));
  });

  it("name no series that is not there", () => {
    const refused = gatherRefused(
      buildBatch(1, [{ measurement: "cpu", tags: {}, timeUs: 1, fields: { x: 1 } }]),
      ["TIME_AHEAD"],
      [],
    );
    const text = JSON.stringify({ ...refused, samples: [[1, 1, 1, "TIME_AHEAD"]] });
    expect(() => parseRefused(text)).toThrow(expect.objectContaining({ code: "BATCH_MALFORMED" }));
  });

  it("find fault again with a series that had one", () => {
    const batch = buildBatch(1, [{ measurement: "no name", tags: {}, timeUs: 1, fields: { x: 1 } }]);
    expect(readRefused(JSON.stringify(gatherRefused(batch, ["SERIES_INVALID"], []))).series[0].fault).toContain("no name");
  });
});

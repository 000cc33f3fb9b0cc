import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FleetmarkError } from "../errors.js";
import { BatchSchema } from "../gen/fleetmark/v1/fleet_pb.js";
import { type Batch, BatchBuilder, countSamples, maxStepUs } from "../model/batch.js";
import { type Point, seriesKey } from "../model/series.js";
import { decodeBatch, outlineBatch } from "./batch-decoder.js";
import { encodeBatch } from "./batch-encoder.js";

const start = 1_700_000_000_000_000;
const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,12}$/).filter((text) => text !== "host" && text !== "__proto__");
const tagValue = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text));
const point: fc.Arbitrary<Point> = fc.record({
  measurement: name,
  tags: fc.dictionary(name, tagValue, { maxKeys: 4, noNullPrototype: true }),
  timeUs: fc.integer({ min: start, max: start + 1e9 }),
  fields: fc.dictionary(name, fc.oneof(fc.double(), fc.string({ unit: "grapheme" })), {
    minKeys: 1,
    maxKeys: 5,
    noNullPrototype: true,
  }),
});

function build(points: Point[]): Batch {
  const builder = new BatchBuilder();
  for (const each of points) builder.add(each);
  return builder.build({ host: "h1", epochUs: start, sequence: 1 });
}

/** Every sample of a batch as text, in order, with the tag `host` left out. */
function listSamples(batch: Batch): string[] {
  return [batch.numbers, batch.texts].flatMap((columns) =>
    columns.series.map((index, i) => {
      const { host: _host, ...tags } = batch.series[index].tags;
      const value = columns.values[i];
      return `${seriesKey({ ...batch.series[index], tags })} ${columns.timeUs[i]} ${Object.is(value, -0) ? "-0" : value}`;
    }),
  );
}

describe("a batch on the wire", () => {
  it("comes back as it went, with the host as a tag", () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 20 }), (points) => {
        const sent = build(points);
        const got = decodeBatch(encodeBatch(sent));
        expect(got.id).toEqual(sent.id);
        expect(listSamples(got)).toEqual(listSamples(sent));
        expect(got.series.every((series) => series.tags.host === "h1")).toBe(true);
      }),
    );
  });

  it("shows before it is decoded how many samples and series it has", () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 20 }), (points) => {
        const sent = build(points);
        const { sampleCount, seriesCount } = outlineBatch(encodeBatch(sent));
        expect([sampleCount, seriesCount]).toEqual([countSamples(sent), sent.series.length]);
      }),
    );
  });

  it("may have its numbers one by one, and is counted then too", () => {
    const number = Buffer.alloc(9);
    number[0] = 0x19;
    const columns = Buffer.concat([number, number, number]);
    const id = toBinary(BatchSchema, create(BatchSchema, { id: { host: "h1", epochUs: 1n, sequence: 1n } }));
    const bytes = Buffer.concat([id, Buffer.from([0x22, columns.length]), columns]);
    expect(outlineBatch(bytes).sampleCount).toBe(3);
  });

  it("holds each series once", () => {
    const batch = build(
      [0, 1, 2].map((i) => ({ measurement: "cpu", tags: { cpu: "cpu0" }, timeUs: start + i, fields: { a: i, b: "x" } })),
    );
    expect(batch.series).toHaveLength(2);
    expect(countSamples(batch)).toBe(6);
  });

  it("answers any bytes with a batch or a coded error", () => {
    const whole = encodeBatch(
      build([{ measurement: "cpu", tags: { cpu: "cpu0" }, timeUs: start, fields: { usage_user: 12.5, note: "n" } }]),
    );
    const mutation = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 });
    const mutated = mutation.map((changes) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        try {
          decodeBatch(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(FleetmarkError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const id = { host: "h1", epochUs: 1n, sequence: 1n };
  const series = [{ measurement: "cpu", tags: [], field: "a" }];
  const tag = (key: string) => ({ key, value: "x" });
  it.each([
    ["no id", { series }],
    ["an empty host", { id: { ...id, host: "" } }],
    ["a sequence of 0", { id: { ...id, sequence: 0n } }],
    ["columns of different lengths", { id, series, numbers: { seriesIndex: [0], timeDeltaUs: [0], value: [1, 2] } }],
    ["a series that is not in the dictionary", { id, series, numbers: { seriesIndex: [1], timeDeltaUs: [0], value: [1] } }],
    ["a time out of range", { id, series, baseTimeUs: 2n ** 62n }],
  ])("refuses %s", (_what, message) => {
    const bytes = toBinary(BatchSchema, create(BatchSchema, message));
    expect(() => decodeBatch(bytes)).toThrow(expect.objectContaining({ code: "BATCH_MALFORMED" }));
  });

  it.each([
    ["the reserved tag host", { id, series: [{ measurement: "cpu", tags: [{ key: "host", value: "x" }], field: "a" }] }],
    ["a tag of 10 MB", { id, series: [{ measurement: "cpu", tags: [{ key: "t", value: "x".repeat(1e7) }], field: "a" }] }],
    ["a tag with a line break", { id, series: [{ measurement: "cpu", tags: [{ key: "t", value: "a\nb" }], field: "a" }] }],
    ["a tag named __proto__", { id, series: [{ measurement: "cpu", tags: [{ key: "__proto__", value: "x" }], field: "a" }] }],
    ["a measurement that is no name", { id, series: [{ measurement: "cpu load", tags: [], field: "a" }] }],
    ["a tag that is given twice", { id, series: [{ measurement: "cpu", tags: [tag("t"), tag("t")], field: "a" }] }],
  ])("finds fault with %s, and with no other series", (_what, message) => {
    const both = { ...message, series: [...message.series, ...series] };
    const decoded = decodeBatch(toBinary(BatchSchema, create(BatchSchema, both)));
    expect(decoded.series.map(({ fault }) => typeof fault)).toEqual(["string", "undefined"]);
  });

  it("takes no batch that ends in the midst of a field for a whole one", () => {
    const builder = new BatchBuilder();
    builder.add({ measurement: "m", tags: { kind: "k" }, timeUs: 1e15, fields: { a: 1, b: 2, note: "text" } });
    const bytes = encodeBatch(builder.build({ host: "h", epochUs: 5, sequence: 1 }));
    const ends = new Set<number>();
    for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ends.add(reader.pos)) {
      const [field, wireType] = reader.tag();
      reader.skip(wireType, field);
    }
    for (let length = 0; length < bytes.length; length++) {
      if (!ends.has(length)) expect(() => decodeBatch(bytes.slice(0, length))).toThrow(FleetmarkError);
    }
  });

  it("says beforehand which times can share a batch", () => {
    const builder = new BatchBuilder();
    builder.add({ measurement: "cpu", tags: {}, timeUs: start, fields: { a: 1 } });
    expect(builder.accepts(start + maxStepUs)).toBe(true);
    expect(builder.accepts(start - maxStepUs - 1)).toBe(false);
    builder.add({ measurement: "cpu", tags: {}, timeUs: start + maxStepUs + 1, fields: { a: 1 } });
    expect(() => encodeBatch(builder.build({ host: "h", epochUs: 1, sequence: 1 }))).toThrow(
      expect.objectContaining({ code: "BATCH_MALFORMED" }),
    );
  });
});

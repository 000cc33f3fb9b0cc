import { create, toBinary } from "@bufbuild/protobuf";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { BatchSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { countSamples } from "@fleetmark/shared/model/batch";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { decodeDictionary, outlineBatch } from "@fleetmark/shared/wire/batch-decoder";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildBatch, makeResult, makeRun } from "../../test/support.js";
import { collectorConfigSchema } from "../config.js";
import type { RefusedSeries } from "./series-guard.js";
import { type ValidatedBatch, validateBatch } from "./validate.js";

const { limits } = collectorConfigSchema.parse({});
const nowUs = 1_700_000_000_000_000;
const dayUs = 86_400e6;
const cpu = (value: number, timeUs = nowUs) => ({ measurement: "cpu", tags: {}, timeUs, fields: { usage_user: value } });

function validate(bytes: Uint8Array, refused?: RefusedSeries): ValidatedBatch {
  const rules = { limits, readDictionary: decodeDictionary, judgeSeries: () => refused, nowUs };
  return validateBatch(bytes, outlineBatch(bytes), rules);
}

function rejection(bytes: Uint8Array): string {
  try {
    validate(bytes);
  } catch (thrown) {
    if (thrown instanceof FleetmarkError) return thrown.code;
    throw thrown;
  }
  return "valid";
}

describe("validateBatch", () => {
  it("refuses each value that is not finite and keeps the others", () => {
    const points = [cpu(1), cpu(Number.NaN), cpu(Number.POSITIVE_INFINITY), cpu(Number.NEGATIVE_INFINITY), cpu(2)];
    const validated = validate(encodeBatch(buildBatch(1, points)));
    expect(validated).toMatchObject({ batch: { numbers: { values: [1, 2] } } });
    expect([...validated.refused]).toEqual([["VALUE_NOT_FINITE", 3]]);
  });

  it.each([
    [365 * dayUs, "TIME_AHEAD"],
    [-401 * dayUs, "TIME_BEHIND"],
  ])("refuses numbers and texts %d µs away as %s", (offset, code) => {
    const point = { measurement: "cpu", tags: {}, timeUs: nowUs + offset, fields: { usage_user: 1, note: "x" } };
    const validated = validate(encodeBatch(buildBatch(1, [point])));
    expect([...validated.refused]).toEqual([[code, 2]]);
    expect(countSamples(validated.batch)).toBe(0);
  });

  it("lets whole results and runs in, and refuses those with one bad field whole", () => {
    const whole = [
      resultRecord.toPoint(makeResult({ time_us: nowUs })),
      runRecord.toPoint(makeRun({ time_us: nowUs, started_us: nowUs })),
    ];
    const damaged = resultRecord.toPoint(makeResult({ time_us: nowUs, runtime: "tfjs-wasm", mean: Number.NaN }));
    const validated = validate(encodeBatch(buildBatch(1, [...whole, damaged])));
    const fields = Object.keys(damaged.fields).length;
    expect(Object.fromEntries(validated.refused)).toEqual({
      VALUE_NOT_FINITE: 1,
      RECORD_INVALID: fields - 1,
    });
    expect(validated.records.map(({ kind, record }) => kind.toPoint(record))).toEqual(whole);
    expect(countSamples(validated.batch)).toBe(whole.flatMap((point) => Object.keys(point.fields)).length);
  });

  it("keeps the others where one series is invalid and one text too long", () => {
    const texts = ["fine", "x".repeat(65_537)].map((note, i) => ({
      measurement: "log",
      tags: {},
      timeUs: nowUs + i,
      fields: { note },
    }));
    const points = [cpu(1), { ...cpu(2), tags: { "no name": "x" } }, ...texts, cpu(3)];
    const { batch, refused, refusedSamples } = validate(encodeBatch(buildBatch(1, points)));
    expect(Object.fromEntries(refused)).toEqual({ SERIES_INVALID: 1, TEXT_TOO_LONG: 1 });
    expect([batch.numbers.values, batch.texts.values]).toEqual([[1, 3], ["fine"]]);
    expect(batch.series.map(({ field }) => field)).toEqual(["usage_user", "note"]);
    expect(refusedSamples?.samples.map(([, , value, code]) => [String(value).length, code])).toEqual([
      [1, "SERIES_INVALID"],
      [65_537, "TEXT_TOO_LONG"],
    ]);
  });

  it("gives what an agent tells of itself the time of its receipt, where its own is out of bounds", () => {
    const self = (timeUs: number) => ({ measurement: "agent", tags: {}, timeUs, fields: { clock_offset_ms: 1 } });
    const ahead = [self(nowUs + 2 * dayUs - 5e6), cpu(1, nowUs + 2 * dayUs), self(nowUs + 2 * dayUs)];
    const { batch, refused, restamped } = validate(encodeBatch(buildBatch(1, ahead)));
    expect([...refused]).toEqual([["TIME_AHEAD", 1]]);
    expect([batch.numbers.timeUs, restamped]).toEqual([[nowUs - 5e6, nowUs], 2]);
  });

  it("rejects a batch over the limit, and refuses a series whose tag is too long", () => {
    const tagged = (length: number) => encodeBatch(buildBatch(1, [{ ...cpu(1), tags: { cpu: "x".repeat(length) } }]));
    expect(rejection(tagged(10_000_000))).toBe("BATCH_TOO_LARGE");
    expect([...validate(tagged(10_000)).refused]).toEqual([["SERIES_INVALID", 1]]);
  });

  it("rejects a batch of too many series before it looks at them", () => {
    const points = Array.from({ length: 10_001 }, (_, i) => ({ ...cpu(1), tags: { cpu: String(i) } }));
    expect(rejection(encodeBatch(buildBatch(1, points)))).toBe("BATCH_TOO_MANY_SERIES");
    expect(rejection(encodeBatch(buildBatch(1, points.slice(1))))).toBe("valid");
  });

  it("rejects a batch of too many samples before it decodes them", () => {
    const points = Array.from({ length: 100_001 }, () => cpu(1));
    expect(rejection(encodeBatch(buildBatch(1, points)))).toBe("BATCH_TOO_MANY_SAMPLES");
    expect(rejection(encodeBatch(buildBatch(1, points.slice(1))))).toBe("valid");
  });

  it("refuses the samples of refused series, and takes these out of the dictionary", () => {
    const points = ["a", "b", "c"].map((name, i) => ({ ...cpu(i), tags: { cpu: name } }));
    const { batch, refused } = validate(encodeBatch(buildBatch(1, [...points, ...points])), [false, true, false]);
    expect([...refused]).toEqual([["SERIES_OVER_LIMIT", 2]]);
    expect(batch.series.map(({ tags }) => tags.cpu)).toEqual(["a", "c"]);
    expect(batch.numbers.series.map((index) => batch.series[index].tags.cpu)).toEqual(["a", "c", "a", "c"]);
    expect(batch.numbers.values).toEqual([0, 2, 0, 2]);
  });

  it("refuses a record whole of which one series is refused", () => {
    const point = resultRecord.toPoint(makeResult({ time_us: nowUs }));
    const fields = Object.keys(point.fields).length;
    const refusal = Array.from({ length: fields }, (_, i) => i === 0);
    expect(Object.fromEntries(validate(encodeBatch(buildBatch(1, [point])), refusal).refused)).toEqual({
      SERIES_OVER_LIMIT: 1,
      RECORD_INVALID: fields - 1,
    });
  });

  it("reads the id of a batch of which nothing else decodes", () => {
    const encoded = toBinary(BatchSchema, create(BatchSchema, { id: { host: "h1", epochUs: 1000n, sequence: 7n } }));
    const broken = Buffer.concat([encoded, Buffer.from([0x22, 0x7f, 0x01])]);
    expect(outlineBatch(broken).id).toEqual({ host: "h1", epochUs: 1000, sequence: 7 });
    expect(rejection(broken)).toBe("BATCH_MALFORMED");
  });

  it("throws nothing but rejections, whatever the bytes are", () => {
    const valid = encodeBatch(buildBatch(1, [cpu(1), resultRecord.toPoint(makeResult({ time_us: nowUs }))]));
    const mutated = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }).map((changes) => {
      const bytes = Uint8Array.from(valid);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const codes = ["valid", "BATCH_MALFORMED"];
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => codes.includes(rejection(bytes))),
      { numRuns: 1000 },
    );
    expect(rejection(new Uint8Array([1, 2, 3]))).toBe("BATCH_MALFORMED");
  });
});

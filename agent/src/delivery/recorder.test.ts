import { type Batch, maxStepUs } from "@fleetmark/shared/model/batch";
import { type Point, seriesLimits } from "@fleetmark/shared/model/series";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EncodedBatch } from "../batch/encoded-batch.js";
import { createCounts } from "./counts.js";
import { batchLimits, countPending, createRecorder, flushRecorder, recordAlone, recordPoints } from "./recorder.js";

function setUp() {
  const counts = createCounts();
  const batches: EncodedBatch[] = [];
  const recorder = createRecorder({
    host: "h",
    identity: "",
    epochUs: 1_700_000_000_000_000,
    counts,
    put: (batch) => batches.push(batch),
  });
  return { counts, batches, recorder };
}

const makePoint = (timeUs: number, fields: Point["fields"]): Point => ({
  measurement: "cpu",
  tags: { cpu: "cpu0" },
  timeUs,
  fields,
});

function readSamples(batch: Batch): string[] {
  return [batch.numbers, batch.texts].flatMap(({ series, timeUs, values }) =>
    series.map((index, i) => `${batch.series[index].field}@${timeUs[i]}=${values[i]}`),
  );
}

test("points of several calls share a batch until the flush", () => {
  const { batches, recorder, counts } = setUp();
  recordPoints(recorder, [makePoint(1000, { a: 1, b: 2 })]);
  recordPoints(recorder, [makePoint(2000, { a: 3 })]);
  expect(batches).toEqual([]);
  expect(countPending(recorder)).toBe(3);
  flushRecorder(recorder);
  flushRecorder(recorder);
  expect(batches.length).toBe(1);
  const batch = decodeBatch(batches[0].bytes);
  expect(batch.id).toEqual({ host: "h", epochUs: 1_700_000_000_000_000, sequence: 1 });
  expect(readSamples(batch)).toEqual(["a@1000=1", "b@1000=2", "a@2000=3"]);
  expect(counts.recorded).toBe(3);
});

test("what a collector would refuse is dropped and counted by code, the rest kept", () => {
  const { batches, recorder, counts } = setUp();
  recordPoints(recorder, [makePoint(1000, { a: Number.NaN, b: 2, c: Number.NEGATIVE_INFINITY, "d e": 1 })]);
  recordPoints(recorder, [makePoint(1000.5, { a: 1 }), makePoint(1000, { t: "x".repeat(seriesLimits.textLength + 1) })]);
  recordPoints(recorder, [{ measurement: "cpu", tags: { cpu: "\u0000" }, timeUs: 1000, fields: { a: 1 } }]);
  flushRecorder(recorder);
  expect(readSamples(decodeBatch(batches[0].bytes))).toEqual(["b@1000=2"]);
  expect(Object.fromEntries(counts.dropped)).toEqual({ VALUE_NOT_FINITE: 2, SERIES_INVALID: 3, BATCH_MALFORMED: 1 });
  expect(counts.recorded).toBe(7);
});

test("a result travels at once and apart, after what was flushed before", () => {
  const { batches, recorder } = setUp();
  recordPoints(recorder, [makePoint(1000, { a: 1 })]);
  expect(recordAlone(recorder, makePoint(2000, { median: 5, name: "x" }))).toBe(1);
  flushRecorder(recorder);
  expect(batches.map(({ id: { sequence }, priority, samples }) => [sequence, priority, samples])).toEqual([
    [1, "result", 2],
    [2, "telemetry", 1],
  ]);
  expect(recordAlone(recorder, makePoint(3000, { median: Number.NaN }))).toBeUndefined();
});

test("a batch is cut at its limits and where time jumps", () => {
  const { batches, recorder } = setUp();
  recordPoints(recorder, [makePoint(1000, { a: 1 }), makePoint(1001 + maxStepUs, { a: 2 })]);
  expect(batches.length).toBe(1);
  const text = "é".repeat(60_000);
  recordPoints(recorder, [makePoint(1001 + maxStepUs, { t: text }), makePoint(1002 + maxStepUs, { t: text })]);
  expect(batches.length).toBe(2);
  flushRecorder(recorder);
  recordPoints(
    recorder,
    Array.from({ length: batchLimits.samples + 1 }, (_, i) => makePoint(i, { a: i })),
  );
  expect(batches.at(-1)?.samples).toBeLessThanOrEqual(batchLimits.samples);
  expect(Math.max(...batches.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(batchLimits.bytes);
});

test("whatever comes in, each sample is in exactly one decodable batch or counted as dropped", () => {
  const pointArbitrary = fc.record({
    measurement: fc.constantFrom("cpu", "mem", "not a name"),
    tags: fc.dictionary(fc.constantFrom("cpu", "path", "host"), fc.string({ maxLength: 8 })),
    timeUs: fc.oneof(fc.integer({ min: 0, max: 1e9 }), fc.double(), fc.maxSafeNat(), fc.integer({ max: -1 })),
    fields: fc.dictionary(fc.constantFrom("a", "b", "c d"), fc.oneof(fc.double(), fc.string()), { minKeys: 1 }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(pointArbitrary, fc.boolean())), (entries) => {
      const { batches, recorder, counts } = setUp();
      for (const [point, single] of entries) {
        if (single) recordAlone(recorder, point);
        else recordPoints(recorder, [point]);
      }
      flushRecorder(recorder);
      const samples = batches.flatMap(({ bytes }) => readSamples(decodeBatch(bytes)));
      const dropped = [...counts.dropped.values()].reduce((sum, count) => sum + count, 0);
      expect(samples.length + dropped).toBe(counts.recorded);
      expect(batches.reduce((sum, batch) => sum + batch.samples, 0)).toBe(samples.length);
      expect(batches.map(({ id: { sequence } }) => sequence)).toEqual(batches.map((_, i) => i + 1));
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeRecord, encodeTombstone, parseFile, parseTombstones, type SpoolRecord } from "./record.js";

const recordArbitrary: fc.Arbitrary<SpoolRecord> = fc.record({
  id: fc.record({
    host: fc.string({ maxLength: 20, unit: "grapheme" }),
    epochUs: fc.maxSafeNat(),
    sequence: fc.integer({ min: 1, max: 2 ** 47 }),
  }),
  bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  samples: fc.nat({ max: 2 ** 32 - 1 }),
  putMs: fc.nat({ max: 2 ** 47 }),
  clock: fc.record({ lastUs: fc.maxSafeNat(), generation: fc.nat({ max: 999 }) }),
});

test("records read back as they were written", () => {
  fc.assert(
    fc.property(fc.array(recordArbitrary), (records) => {
      expect(parseFile(Buffer.concat(records.map(encodeRecord)))).toEqual({ records, damaged: [] });
    }),
  );
});

test("whatever is flipped, cut out or put between, whole records are found and nothing else is", () => {
  const damageArbitrary = fc.record({ at: fc.nat(), cut: fc.nat({ max: 50 }), junk: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(fc.array(recordArbitrary, { minLength: 1, maxLength: 8 }), damageArbitrary, (records, { at, cut, junk }) => {
      const encoded = records.map(encodeRecord);
      const file = Buffer.concat(encoded);
      const begin = at % file.length;
      const damaged = Buffer.concat([file.subarray(0, begin), junk, file.subarray(begin + cut)]);
      const found = parseFile(damaged);
      let offset = 0;
      const untouched = records.filter((_, i) => {
        const end = offset + encoded[i].length;
        const isUntouched = end <= begin || offset >= begin + cut;
        offset = end;
        return isUntouched;
      });
      const texts = (some: readonly SpoolRecord[]): string[] => some.map((record) => encodeRecord(record).toString("hex"));
      expect(texts(records)).toEqual(expect.arrayContaining(texts(found.records)));
      expect(texts(found.records)).toEqual(expect.arrayContaining(texts(untouched)));
      const read = found.records.reduce((sum, record) => sum + encodeRecord(record).length, 0);
      expect(read + found.damaged.reduce((sum, part) => sum + part.length, 0)).toBe(damaged.length);
    }),
    { numRuns: 500 },
  );
});

test("a list of those that are gone reads back, but for what is damaged", () => {
  const tombstones = Array.from({ length: 20 }, (_, i) => ({ sequence: 3 * i + 1, samples: i }));
  const list = Buffer.concat(tombstones.map(encodeTombstone));
  expect(parseTombstones(list)).toEqual(tombstones);
  expect(parseTombstones(list.subarray(0, list.length - 1))).toEqual(tombstones.slice(0, 19));
  list[14 * 5 + 7] ^= 1;
  expect(parseTombstones(list)).toEqual(tombstones.filter((_, i) => i !== 5));
});

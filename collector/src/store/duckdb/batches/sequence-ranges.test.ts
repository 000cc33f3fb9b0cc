import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addSequence, hasSequence, type SequenceRanges } from "./sequence-ranges.js";

describe("sequence ranges", () => {
  it("hold what a set holds, as few disjoint ranges in rising order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (sequences) => {
        const ranges: SequenceRanges = [];
        for (const sequence of sequences) addSequence(ranges, sequence);
        const set = new Set(sequences);
        for (let sequence = 0; sequence <= 42; sequence++) expect(hasSequence(ranges, sequence)).toBe(set.has(sequence));
        for (let i = 1; i < ranges.length; i++) expect(ranges[i][0]).toBeGreaterThan(ranges[i - 1][1] + 1);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../random.js";
import { findLineBreaks } from "./piecewise-linear.js";
import { detectSeriesChanges } from "./series-changes.js";

/** Normal numbers of a seed. */
function createNormal(seed: number): () => number {
  const random = createRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const make = (n: number, seed: number, level: (i: number) => number, deviation: number): number[] => {
  const normal = createNormal(seed);
  return Array.from({ length: n }, (_, i) => level(i) + deviation * normal());
};

const find = (values: readonly number[]) => detectSeriesChanges(values).map(({ index, kind }) => [kind, index] as const);

describe("changes of a series", () => {
  it("are steps of its level, at the right place", () => {
    const changes = find(make(200, 1, (i) => (i < 120 ? 100 : 104), 1));
    expect(changes.length).toBe(1);
    expect(changes[0][0]).toBe("level");
    expect(Math.abs(changes[0][1] - 120)).toBeLessThanOrEqual(2);
  });

  it.each([0.002, 0.05, 0.2])("are bends of a line, and not the steps that imitate it, at noise of %d", (deviation) => {
    const changes = find(make(200, 3, (i) => 0.01 * i + Math.max(0, 0.03 * (i - 120)), deviation));
    expect(changes.map(([kind]) => kind)).toEqual(["line"]);
    expect(Math.abs(changes[0][1] - 120)).toBeLessThanOrEqual(10);
  });

  it("are few in noise, however it hangs together", () => {
    let found = 0;
    for (let seed = 0; seed < 30; seed++) {
      const normal = createNormal(seed);
      let x = 0;
      found += find(Array.from({ length: 200 }, () => (x = 0.6 * x + normal()))).length;
      found += find(make(200, seed + 100, () => 0, 1)).length;
    }
    // Of 12 000 samples.
    expect(found).toBeLessThanOrEqual(12);
  });

  it("are found in long series too", () => {
    const changes = find(make(10_000, 5, (i) => 0.01 * i + Math.max(0, 0.02 * (i - 6000)), 0.01));
    expect(changes.length).toBe(1);
    expect(Math.abs(changes[0][1] - 6000)).toBeLessThanOrEqual(20);
  });

  it("never fail, and follow from the numbers alone, at any scale and offset", () => {
    const value = fc.oneof(fc.integer({ min: -50, max: 50 }), fc.constantFrom(0, 1000));
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 80 }),
        fc.constantFrom(1, 4, 1024),
        fc.integer({ min: -64, max: 64 }),
        (values, scale, offset) => {
          const changes = find(values);
          expect(find(values)).toEqual(changes);
          expect(find(values.map((each) => each * scale + offset))).toEqual(changes);
          const indices = changes.map(([, index]) => index);
          expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
          expect(indices.every((index) => index > 0 && index < values.length)).toBe(true);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e150, max: 1e150 })),
        (values) => void find(values),
      ),
    );
  });
});

describe("breaks of lines", () => {
  it("are none where there is one line, or too little for two", () => {
    expect(findLineBreaks(Array.from({ length: 100 }, (_, i) => 3 * i + 1))).toEqual([]);
    expect(findLineBreaks([1, 2, 3, 4])).toEqual([]);
  });

  it("are exact where lines are", () => {
    expect(findLineBreaks(Array.from({ length: 60 }, (_, i) => (i < 25 ? i : 100 - 2 * i)))).toEqual([25]);
  });
});

it("a change tells its levels and how sure it is", () => {
  const [change] = detectSeriesChanges(make(60, 2, (i) => (i < 30 ? 100 : 110), 1));
  expect(change).toEqual({
    kind: "level",
    index: expect.toSatisfy((index: number) => Math.abs(index - 30) <= 1),
    before: expect.closeTo(100, 0),
    after: expect.closeTo(110, 0),
    confidence: expect.toSatisfy((confidence: number) => confidence > 0.999999),
  });
});

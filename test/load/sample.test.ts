import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countSamples, makeNumber, makePoints } from "./sample.js";

describe("samples of a simulated fleet", () => {
  it("are the same for the same seed, host, series and time, and differ when any of these differs", () => {
    const part = fc.nat({ max: 2 ** 31 });
    fc.assert(
      fc.property(part, part, part, (seed, series, time) => {
        const value = makeNumber(seed, "h", series, 1, time * 4096);
        expect(value).toBe(makeNumber(seed, "h", series, 1, time * 4096));
        const others = [
          makeNumber(seed + 1, "h", series, 1, time * 4096),
          makeNumber(seed, "i", series, 1, time * 4096),
          makeNumber(seed, "h", series + 1, 1, time * 4096),
          makeNumber(seed, "h", series, 2, time * 4096),
          makeNumber(seed, "h", series, 1, time * 4096 + 1),
        ];
        expect(others).not.toContain(value);
      }),
    );
  });

  it("fill the shape", () => {
    const points = makePoints(1, "h", { groups: 3, fields: 4 }, 1000);
    expect(points.map(({ fields }) => Object.keys(fields).length)).toEqual([4, 4, 5]);
    expect([0, 1, 2].map((group) => countSamples({ groups: 3, fields: 4 }, group))).toEqual([4, 4, 5]);
  });
});

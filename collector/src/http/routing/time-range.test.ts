import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMoment } from "./time-range.js";

const nowUs = 1_700_000_000_000_000;

describe("parseMoment", () => {
  it("reads back every time that a Date can print", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
        expect(parseMoment(date.toISOString(), nowUs)).toBe(date.getTime() * 1000);
      }),
    );
  });

  it("counts back from now", () => {
    expect(parseMoment("now", nowUs)).toBe(nowUs);
    expect(parseMoment("-1h30m", nowUs)).toBe(nowUs - 5400e6);
    expect(parseMoment("2026-01-31T12:00:00+02:00", nowUs)).toBe(Date.UTC(2026, 0, 31, 10) * 1000);
  });

  it.each(["", "1h", "-", "-1x", "yesterday", "2026-01-31", "2026-13-31T12:00:00Z", "12"])("refuses %j", (text) => {
    expect(parseMoment(text, nowUs)).toBeUndefined();
  });
});

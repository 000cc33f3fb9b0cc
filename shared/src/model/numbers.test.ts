import { describe, expect, it } from "vitest";
import { formatAge, formatNumber, formatSeconds } from "./numbers.js";

describe("numbers", () => {
  it.each([
    [0, "0"],
    [0.00001234, "1.23e-5"],
    [0.0123456, "0.0123"],
    [4.5678, "4.57"],
    [99.95, "100"],
    [123.4, "123"],
    [9999.6, "10 000"],
    [1_234_567, "1 234 567"],
    [-0.5, "-0.500"],
    [-12_345, "-12 345"],
  ])("writes %d as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it.each([
    [2e-9, "2.00 ns"],
    [1.5e-5, "15.0 µs"],
    [0.25, "250 ms"],
    [2, "2.00 s"],
  ])("writes %d s as %s", (value, text) => {
    expect(formatSeconds(value)).toBe(text);
  });

  it.each([
    [0.2, "just now"],
    [59.9, "59 s ago"],
    [200, "3 min ago"],
    [7199, "1 h ago"],
    [3 * 86_400, "3 d ago"],
  ])("says of %d s that it was %s", (seconds, text) => {
    expect(formatAge(seconds)).toBe(text);
  });
});

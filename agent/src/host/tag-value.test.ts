import { checkSeries, seriesLimits } from "@fleetmark/shared/model/series";
import fc from "fast-check";
import { expect, it } from "vitest";
import { toTagValue } from "./tag-value.js";

const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** Undoes the escapes of a value that was not cut. */
function readBack(value: string): string {
  return value.replace(/\\([0-3][0-7]{2})|[^\\]+/g, (piece, digits: string | undefined) =>
    digits === undefined ? toBytes(piece) : String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

it.each([
  ["/mnt/data set", "/mnt/data set"],
  ["C:\\", "C:\\134"],
  ["/mnt/a\tb\nc", "/mnt/a\\011b\\012c"],
  ["/mnt/\x7f", "/mnt/\\177"],
  [toBytes("/mnt/größe/データ"), "/mnt/größe/データ"],
  [toBytes("/mnt/\u0085"), "/mnt/\\302\\205"],
  ["/mnt/caf\xe9", "/mnt/caf\\351"],
  ["/mnt/\xc3", "/mnt/\\303"],
  ["/mnt/\xed\xa0\x80", "/mnt/\\355\\240\\200"],
])("writes %j as %j", (bytes, value) => expect(toTagValue(bytes)).toBe(value));

const names = fc.oneof(
  fc.uint8Array({ min: 1, minLength: 1, maxLength: 700 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 600 }).map(toBytes),
);

it("gives every name a value that can be stored, from which a short name can be read back", () => {
  fc.assert(
    fc.property(names, (bytes) => {
      const value = toTagValue(bytes);
      checkSeries({ measurement: "disk", tags: { path: value }, field: "total" });
      expect(Buffer.from(value).toString()).toBe(value);
      if (!/\\#[0-9a-f]{16}$/.test(value)) expect(readBack(value)).toBe(bytes);
    }),
  );
});

it("tells long names apart that begin alike", () => {
  const long = `/${"a\\".repeat(300)}`;
  const [one, other] = [toTagValue(`${long}1`), toTagValue(`${long}2`)];
  expect(one).not.toBe(other);
  expect([one.length, other.length].every((length) => length <= seriesLimits.tagValueLength)).toBe(true);
  expect(one).toMatch(/^(\/a\\134|a\\134)+a?\\#[0-9a-f]{16}$/);
  expect(toTagValue(`/${"x".repeat(511)}`)).toBe(`/${"x".repeat(511)}`);
});

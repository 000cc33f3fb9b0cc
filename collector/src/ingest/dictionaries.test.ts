import { outlineBatch } from "@fleetmark/shared/wire/batch-decoder";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { expect, it } from "vitest";
import { buildBatch } from "../../test/support.js";
import { createDictionaryReader } from "./dictionaries.js";

function encodeDictionary(names: readonly string[]): Uint8Array {
  const points = names.map((name) => ({ measurement: "m", tags: { name }, timeUs: 1, fields: { value: 1, other: 2 } }));
  return outlineBatch(encodeBatch(buildBatch(1, points))).dictionary;
}

it("gives the same series for the same bytes and host, and others for others", () => {
  const read = createDictionaryReader();
  const first = read(encodeDictionary(["a", "b"]), "h1");
  expect(first.map(({ tags, field }) => `${tags.host} ${tags.name} ${field}`)).toEqual([
    "h1 a value",
    "h1 a other",
    "h1 b value",
    "h1 b other",
  ]);
  expect(first[0].tags).toBe(first[1].tags);
  expect(read(encodeDictionary(["a", "b"]), "h1")).toBe(first);
  expect(read(encodeDictionary(["b", "a"]), "h1")).not.toBe(first);
  expect(read(encodeDictionary(["a", "b"]), "h2")[0].tags.host).toBe("h2");
});

it("forgets what was not asked for the longest, so that hostile dictionaries take so much memory and no more", () => {
  const read = createDictionaryReader();
  const names = Array.from({ length: 500 }, (_, i) => "x".repeat(400) + i);
  const kept = read(encodeDictionary(["kept"]), "h1");
  const lost = read(encodeDictionary(["lost"]), "h1");
  // Each weighs some 600 KB.
  for (let i = 0; i < 180; i++) {
    read(encodeDictionary([...names, String(i)]), "h1");
    expect(read(encodeDictionary(["kept"]), "h1")).toBe(kept);
  }
  expect(read(encodeDictionary(["lost"]), "h1")).not.toBe(lost);
});

it("forgets what nobody has asked for in five minutes, and keeps what is in use", () => {
  let nowUs = 0;
  const read = createDictionaryReader(() => nowUs);
  const [once, used] = [read(encodeDictionary(["once"]), "h1"), read(encodeDictionary(["used"]), "h1")];
  for (let minute = 1; minute <= 6; minute++) {
    nowUs = minute * 60e6;
    expect(read(encodeDictionary(["used"]), "h1")).toBe(used);
    read(encodeDictionary([`another ${minute}`]), "h1");
  }
  expect(read(encodeDictionary(["used"]), "h1")).toBe(used);
  expect(read(encodeDictionary(["once"]), "h1")).not.toBe(once);
});

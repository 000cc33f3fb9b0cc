import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { streamList } from "./list-stream.js";

const quiet = { stringify: JSON.stringify, compressed: false, onBytes: () => {} };

describe("a list on its way to its reader", () => {
  it("is the JSON of the list, whole and to the byte, compressed or not", async () => {
    const item = fc.oneof(fc.integer(), fc.string({ unit: "grapheme" }), fc.string({ minLength: 30_000, maxLength: 40_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 8 }), fc.boolean(), async (list, compressed) => {
        let counted = 0;
        const sent = await buffer(streamList({ ...quiet, list, compressed, onBytes: (bytes) => (counted += bytes) }).stream);
        expect((compressed ? gunzipSync(sent) : sent).toString()).toBe(JSON.stringify(list));
        expect(counted).toBe(sent.length);
      }),
      { numRuns: 50 },
    );
  });

  it("leaves the thread to others between its slices, and has begun before it is written", async () => {
    const list = Array.from({ length: 50 }, () => "x".repeat(30_000));
    let written = 0;
    const count = (item: string): string => {
      written++;
      return JSON.stringify(item);
    };
    let turns = 0;
    const turning = setInterval(() => turns++, 0);
    const { stream } = streamList({ ...quiet, list, stringify: count });
    await once(stream, "readable");
    expect(written).toBeLessThan(50);
    await text(stream);
    clearInterval(turning);
    expect([written, turns > 3]).toEqual([50, true]);
  });

  it("is written though its reader takes nothing", async () => {
    const list = Array.from({ length: 50 }, () => "x".repeat(30_000));
    let counted = 0;
    const { stream, written } = streamList({ ...quiet, list, onBytes: (bytes) => (counted += bytes) });
    await written;
    expect(counted).toBe(JSON.stringify(list).length);
    expect(await text(stream)).toBe(JSON.stringify(list));
  });

  it("is done with whenever its reader goes, or its turn would never end", async () => {
    const list = Array.from({ length: 8 }, () => "x".repeat(30_000));
    for (const compressed of [true, false]) {
      for (let turns = 0; turns < 40; turns++) {
        const { stream, written } = streamList({ ...quiet, list, compressed });
        stream.resume();
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        stream.destroy();
        await written;
      }
    }
  });

  it("is written no further once its reader is gone, and ends with what can't be written", async () => {
    const list = Array.from({ length: 50 }, () => "x".repeat(30_000));
    let written = 0;
    const { stream } = streamList({ ...quiet, list, compressed: true, stringify: (item) => `${written++}${item}` });
    await once(stream, "readable");
    stream.destroy();
    const before = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(written - before).toBeLessThan(4);
    const fail = (): never => {
      throw new Error("no JSON");
    };
    await expect(text(streamList({ ...quiet, list: [1], stringify: fail }).stream)).rejects.toThrow("no JSON");
  });
});

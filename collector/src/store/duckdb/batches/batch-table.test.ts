import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory } from "../../../../test/support.js";
import { readHosts } from "../../hosts.js";
import type { Store } from "../../store.js";
import { openStore } from "../duckdb.js";

const dayUs = 86_400e6;
const startUs = 1_800_000_000_000_000;

const make = (sequence: number, host = "h1", epochUs = 1000) =>
  buildBatch(sequence, [{ measurement: "cpu", tags: {}, timeUs: startUs + sequence, fields: { usage_user: 1 } }], host, epochUs);

async function open(directory: string): Promise<Store> {
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return store;
}

/** Returns how many rows tables of a closed file hold. */
async function countRows(directory: string): Promise<{ batches: number; ranges: number }> {
  const instance = await DuckDBInstance.create(join(directory, "fleetmark.duckdb"));
  const connection = await instance.connect();
  const counts = await connection.runAndReadAll(
    "SELECT (SELECT count(*) FROM batches), (SELECT count(*) FROM batch_ranges), (SELECT count(*) FROM numbers)",
  );
  const [batches, ranges] = counts.getRowsJS()[0].map(Number);
  connection.closeSync();
  instance.closeSync();
  return { batches, ranges };
}

describe("batches of former days", () => {
  it("become a row for as many as follow on each other, and are known as before", async () => {
    const directory = makeDirectory();
    const first = await openStore(directory);
    await first.write(
      [1, 2, 3, 4, 5, 7].map((sequence) => make(sequence)),
      startUs,
    );
    await first.write([make(8)], startUs + 2 * dayUs);
    await first.retain(startUs + 2 * dayUs);
    expect(
      await first.write(
        [3, 7, 8].map((sequence) => make(sequence)),
        startUs + 2 * dayUs,
      ),
    ).toEqual([]);
    await first.close();
    expect(await countRows(directory)).toEqual({ batches: 1, ranges: 2 });

    const second = await openStore(directory);
    const written = await second.write(
      [1, 5, 6, 7, 8].map((sequence) => make(sequence)),
      startUs + 3 * dayUs,
    );
    expect(written.map(({ id }) => id.sequence)).toEqual([6]);
    await second.retain(startUs + 5 * dayUs);
    await second.close();
    expect(await countRows(directory)).toEqual({ batches: 0, ranges: 1 });

    const third = await open(directory);
    expect(
      await third.write(
        [1, 6, 8].map((sequence) => make(sequence)),
        startUs,
      ),
    ).toEqual([]);
    expect(await third.write([make(9)], startUs)).toHaveLength(1);
  });

  it("tell when a host was last heard of", async () => {
    const directory = makeDirectory();
    const store = await open(directory);
    const hello = {
      measurement: "agent",
      tags: {},
      timeUs: startUs,
      fields: { version: "1", hardware_class: "c", inventory: "{}" },
    };
    await store.write([buildBatch(1, [hello])], startUs);
    await store.write([make(2)], startUs + 5);
    await store.retain(startUs + 2 * dayUs);
    expect(await readHosts(store)).toMatchObject([{ host: "h1", last_seen_us: startUs + 5 }]);
  });

  it("are stored once, whatever came in which order and whenever they were gathered", async () => {
    const step = fc.oneof(
      fc.record({ host: fc.constantFrom("h1", "h2"), epochUs: fc.constantFrom(1, 2), sequence: fc.integer({ min: 1, max: 12 }) }),
      fc.constant("gather" as const),
      fc.constant("open" as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const directory = makeDirectory();
        const known = new Set<string>();
        let store = await openStore(directory);
        let now = startUs;
        for (const each of steps) {
          now += dayUs / 2;
          if (each === "gather") await store.retain(now);
          else if (each === "open") {
            await store.close();
            store = await openStore(directory);
          } else {
            const key = JSON.stringify(each);
            expect(await store.write([make(each.sequence, each.host, each.epochUs)], now)).toHaveLength(known.has(key) ? 0 : 1);
            known.add(key);
          }
        }
        await store.close();
      }),
      { numRuns: 12 },
    );
  }, 60_000);
});

import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Batch } from "@fleetmark/shared/model/batch";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory } from "../../../test/support.js";
import type { Store } from "../store.js";
import { openStore, openStoreReadOnly } from "./duckdb.js";

/** How a data file gets smaller while everything goes on. */

const dayS = 86_400;
const nowUs = 1_800_000_000_000_000;
const keptUs = nowUs - 20 * dayS * 1e6;
const retention = { raw: 30 * dayS, hourly: 400 * dayS, records: Number.POSITIVE_INFINITY };
const keptRows = 1_000_000;
/** So many random values take 70 MB. */
const goneRows = 10_000_000;

const buildNumbered = (sequence: number): Batch =>
  buildBatch(sequence, [
    { measurement: "mem", tags: {}, timeUs: nowUs - 1e6 + sequence, fields: { used: sequence, [`field_${sequence}`]: 1 } },
  ]);

/**
 * A data file of which most is gone. Space at the end of the file the engine gives back by itself; what lies before
 * rows that stay it does not.
 */
async function makeHollowFile(): Promise<string> {
  const directory = makeDirectory();
  const point = { measurement: "cpu", tags: {}, timeUs: keptUs, fields: { usage_user: 1 } };
  const store = await openStore(directory, retention);
  await store.write([buildBatch(1, [point]), buildNumbered(2)], nowUs);
  await store.close();
  const instance = await DuckDBInstance.create(join(directory, "fleetmark.duckdb"));
  const connection = await instance.connect();
  const id = "(SELECT id FROM series WHERE field = 'usage_user')";
  await connection.run(`INSERT INTO numbers SELECT ${id}, 0, random() FROM range(${goneRows})`);
  await connection.run("CHECKPOINT");
  await connection.run(`INSERT INTO numbers SELECT ${id}, ${keptUs} + i * 1000, random() FROM range(${keptRows}) r(i)`);
  await connection.run("CHECKPOINT");
  await connection.run("DELETE FROM numbers WHERE time_us = 0");
  connection.closeSync();
  instance.closeSync();
  return directory;
}

async function open(directory: string): Promise<Store> {
  const store = await openStore(directory, retention);
  onTestFinished(() => store.close());
  return store;
}

const fileSize = (directory: string): number => statSync(join(directory, "fleetmark.duckdb")).size;
const asked = { tags: {}, fromUs: keptUs, toUs: nowUs, bucketUs: 3600e6, maxPoints: 1e5, aggregate: "count" } as const;
const cpu = { ...asked, measurement: "cpu", field: "usage_user" };

async function readSequences(directory: string): Promise<number[]> {
  const reader = await openStoreReadOnly(directory);
  const [history] = await reader.history({ ...asked, measurement: "mem", field: "used", bucketUs: 1, aggregate: "last" });
  const counts = await reader.history({ ...asked, measurement: "mem", field: "used" });
  expect(counts.flatMap(({ points }) => points).reduce((sum, [, count]) => sum + count, 0)).toBe(history.points.length);
  await reader.close();
  return history.points.map(([, value]) => value);
}

describe("a data file with much free space", () => {
  it("gets smaller, answers as before, and loses nothing of what is written meanwhile", async () => {
    const directory = await makeHollowFile();
    const store = await open(directory);
    const before = fileSize(directory);
    let sequence = 2;
    let isDone = false;
    const writing = (async () => {
      while (!isDone) await store.write([buildNumbered(++sequence)], nowUs);
    })();
    const asking = (async () => {
      while (!isDone) {
        expect((await store.history(cpu))[0].points.reduce((sum, [, count]) => sum + count, 0)).toBe(keptRows + 1);
        await sleep(20);
      }
    })();
    const retained = await store.retain(nowUs);
    // While somebody reads what was dropped it is not free: then it is the next night's.
    for (let night = 0; night < 20 && fileSize(directory) > before / 2; night++) await store.retain(nowUs);
    await store.write([buildNumbered(900_000)], nowUs);
    isDone = true;
    await Promise.all([writing, asking]);
    expect(retained).toMatchObject({ samples_rolled_up: 0, not_freed_because: null });
    expect(fileSize(directory)).toBeLessThan(before / 2);
    expect(before).toBeGreaterThan(64e6);
    expect(statSync(join(directory, "fleetmark.duckdb")).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).filter((name) => name.startsWith("compacting"))).toEqual([]);
    // A batch that came before, meanwhile or after is known when it comes again.
    expect(await store.write([buildNumbered(2), buildNumbered(sequence), buildNumbered(900_000)], nowUs)).toEqual([]);
    expect([...(await store.readReceived()).keys()]).toHaveLength(1);
    await store.close();
    const all = Array.from({ length: sequence - 1 }, (_, i) => i + 2);
    expect(await readSequences(directory)).toEqual([...all, 900_000]);
  });

  it("goes on with what is being read", async () => {
    const directory = await makeHollowFile();
    const store = await open(directory);
    const chunks = store.read({ measurements: [], fromUs: 0, toUs: nowUs })[Symbol.asyncIterator]();
    let samples = 0;
    const take = async (): Promise<boolean> => {
      const next = await chunks.next();
      if (next.done !== true && next.value.kind === "samples") samples += next.value.samples.numbers.series.length;
      return next.done !== true;
    };
    await take();
    await store.retain(nowUs);
    while (await take());
    expect(samples).toBe(keptRows + 3);
  });

  it("stays as it is, and says why, when it changes in a way that can't be followed", async () => {
    const directory = await makeHollowFile();
    const store = await open(directory);
    const before = fileSize(directory);
    let isDone = false;
    const { series, numbers, texts } = buildNumbered(3);
    const overwriting = (async () => {
      while (!isDone) await store.overwrite({ kind: "samples", samples: { series, numbers, texts }, skipped: 0 });
    })();
    const retained = await store.retain(nowUs);
    isDone = true;
    await overwriting;
    expect(retained).toMatchObject({ bytes_freed: 0, not_freed_because: "a chunk was stored meanwhile" });
    expect(fileSize(directory)).toBeGreaterThanOrEqual(before);
    expect(existsSync(join(directory, "compacting"))).toBe(false);
    // The next night finds it in peace.
    expect((await store.retain(nowUs))?.bytes_freed).toBeGreaterThan(before / 2);
  });

  it("is searched for what can't be read where that prevents it, and gets smaller without those rows", async () => {
    const directory = await makeHollowFile();
    const file = openSync(join(directory, "fleetmark.duckdb"), "r+");
    // Among the rows that stay, at the end of the file.
    writeSync(file, Buffer.alloc(8, 0x5a), 0, 8, Math.floor(fileSize(directory) * 0.97));
    closeSync(file);
    const store = await open(directory);
    const before = fileSize(directory);
    expect(await store.retain(nowUs)).toMatchObject({ bytes_freed: 0, not_freed_because: expect.stringMatching(/\w/) });
    const damaged = store.listDamage().reduce((sum, { rows }) => sum + rows, 0);
    expect(damaged).toBeGreaterThan(0);
    const counts = (await store.history(cpu)).flatMap(({ points }) => points.map(([, count]) => count));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(keptRows + 1 - damaged);
    await store.write([buildNumbered(3)], nowUs);
    // What was taken out is free when its log is folded into the file, which a restart does at the latest.
    await store.close();
    const again = await open(directory);
    expect(await again.retain(nowUs)).toMatchObject({ not_freed_because: null });
    await again.close();
    expect(fileSize(directory)).toBeLessThan(before / 2);
    expect(await readSequences(directory)).toEqual([2, 3]);
  });
});

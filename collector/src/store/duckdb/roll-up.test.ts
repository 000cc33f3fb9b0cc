import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { aggregates } from "@fleetmark/shared/model/aggregates";
import { resultRecord } from "@fleetmark/shared/records/result";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory, makeResult } from "../../../test/support.js";
import { readHosts } from "../hosts.js";
import { hourUs } from "../retention.js";
import type { Store, StoreReader } from "../store.js";
import { openStore, openStoreReadOnly } from "./duckdb.js";

const dayS = 86_400;
const retention = { raw: 30 * dayS, hourly: 400 * dayS, records: Number.POSITIVE_INFINITY };
const nowUs = 1_800_000_000_000_000;
const oldUs = Math.floor((nowUs - 40 * dayS * 1e6) / hourUs) * hourUs;

async function open(directory: string, kept = retention): Promise<Store> {
  const store = await openStore(directory, kept);
  onTestFinished(() => store.close());
  return store;
}

function cpu(value: number, timeUs: number, host = "h1") {
  return { measurement: "cpu", tags: { host }, timeUs, fields: { usage_user: value } };
}

const nothing = {
  samples_rolled_up: 0,
  hours_dropped: 0,
  records_dropped: 0,
  bytes_freed: 0,
  not_freed_because: null,
};

const query = { measurement: "cpu", field: "usage_user", tags: {}, fromUs: oldUs - hourUs, toUs: nowUs, maxPoints: 1e5 } as const;

describe("what is past its time in a data file", () => {
  it("answers by hour as before, whatever is asked", async () => {
    const store = await open(makeDirectory());
    const points = Array.from({ length: 5000 }, (_, i) => cpu(Math.sin(i) * 50, oldUs + i * 10e6));
    await store.write([buildBatch(1, points)], nowUs);
    const ask = () => Promise.all(aggregates.map((aggregate) => store.history({ ...query, bucketUs: hourUs, aggregate })));
    const before = await ask();
    expect(await store.retain(nowUs)).toEqual({ ...nothing, samples_rolled_up: 5000 });
    expect(await ask()).toEqual(before);
    expect(await store.retain(nowUs)).toEqual(nothing);
    // Finer than an hour there is nothing any more.
    const finer = await store.history({ ...query, bucketUs: 60e6, aggregate: "count" });
    expect(finer[0].points).toHaveLength(Math.ceil(5000 / 360));
  });

  it("leaves what is within its time, and joins both", async () => {
    const store = await open(makeDirectory());
    const youngUs = nowUs - 20 * dayS * 1e6;
    await store.write([buildBatch(1, [cpu(1, oldUs), cpu(3, oldUs + 1), cpu(5, youngUs), cpu(7, youngUs + 1)])], nowUs);
    await store.retain(nowUs);
    const bucketUs = 60e6;
    expect((await store.history({ ...query, bucketUs, aggregate: "mean" }))[0].points).toEqual([
      [oldUs, 2],
      [youngUs - (youngUs % bucketUs), 6],
    ]);
    // One bucket over both: the mean weighs samples, not hours.
    await store.write([buildBatch(2, [cpu(6, youngUs + 2)])], nowUs);
    expect((await store.history({ ...query, bucketUs: nowUs, aggregate: "mean" }))[0].points).toEqual([[0, 22 / 5]]);
    expect((await store.history({ ...query, bucketUs: nowUs, aggregate: "count" }))[0].points).toEqual([[0, 5]]);
    expect((await store.history({ ...query, bucketUs: nowUs, aggregate: "last" }))[0].points).toEqual([[0, 6]]);
  });

  it("keeps records, introductions and hosts", async () => {
    const store = await open(makeDirectory());
    const result = makeResult({ time_us: oldUs });
    const agent = { version: "1", hardware_class: "c1", inventory: "{}", rss_bytes: 5 };
    await store.write(
      [buildBatch(1, [resultRecord.toPoint(result), { measurement: "agent", tags: {}, timeUs: oldUs, fields: agent }])],
      oldUs,
    );
    await store.retain(nowUs);
    expect(await store.findByText(resultRecord, "run", result.run)).toEqual([result]);
    expect(await store.readLatest(resultRecord, {})).toEqual([result]);
    expect(await readHosts(store)).toMatchObject([{ host: "h1", version: "1" }]);
    const medians = { ...query, measurement: "benchmark", field: "median", bucketUs: 1, aggregate: "last" } as const;
    expect((await store.history(medians))[0].points).toEqual([[oldUs, result.median]]);
  });

  it("takes samples that come after their hour was rolled up into it", async () => {
    const store = await open(makeDirectory());
    await store.write([buildBatch(1, [cpu(1, oldUs), cpu(2, oldUs + 1), cpu(3, oldUs + 2)])], nowUs);
    await store.retain(nowUs);
    await store.write([buildBatch(2, [cpu(10, oldUs + 3), cpu(4, oldUs + hourUs)])], nowUs);
    expect((await store.retain(nowUs))?.samples_rolled_up).toBe(2);
    const ask = async (aggregate: "mean" | "max" | "count") =>
      (await store.history({ ...query, bucketUs: hourUs, aggregate }))[0].points;
    expect(await ask("mean")).toEqual([
      [oldUs, 4],
      [oldUs + hourUs, 4],
    ]);
    expect(await ask("max")).toEqual([
      [oldUs, 10],
      [oldUs + hourUs, 4],
    ]);
    expect(await ask("count")).toEqual([
      [oldUs, 4],
      [oldUs + hourUs, 1],
    ]);
  });

  it("drops hours and records that are past theirs", async () => {
    const store = await open(makeDirectory(), { raw: 5 * dayS, hourly: 10 * dayS, records: 20 * dayS });
    const [old, young] = [makeResult({ time_us: oldUs, run: "old" }), makeResult({ time_us: nowUs, run: "young" })];
    await store.write(
      [buildBatch(1, [cpu(1, oldUs), cpu(2, nowUs - 7 * dayS * 1e6), ...[old, young].map(resultRecord.toPoint)])],
      nowUs,
    );
    const retained = await store.retain(nowUs);
    expect(retained).toMatchObject({ samples_rolled_up: 2, hours_dropped: 1 });
    expect(retained?.records_dropped).toBeGreaterThan(20);
    expect(await store.findByText(resultRecord, "run", "old")).toEqual([]);
    expect(await store.findByText(resultRecord, "run", "young")).toEqual([young]);
    expect((await store.history({ ...query, bucketUs: hourUs, aggregate: "mean" }))[0].points).toHaveLength(1);
  });

  it("rolls up while batches are committed and history is asked, and loses none of it", async () => {
    const store = await open(makeDirectory());
    const count = 40_000;
    const points = Array.from({ length: count }, (_, i) => cpu(i, oldUs + i * 1e6, `h${i % 3}`));
    await store.write([buildBatch(1, points)], nowUs);
    let sequence = 1;
    let isRetained = false;
    const retaining = store.retain(nowUs).finally(() => {
      isRetained = true;
    });
    const total = async (): Promise<number> => {
      const histories = await store.history({ ...query, bucketUs: nowUs, aggregate: "count" });
      return histories.flatMap((history) => history.points).reduce((sum, [, value]) => sum + value, 0);
    };
    do {
      await store.write([buildBatch(++sequence, [cpu(1, nowUs - sequence)])], nowUs);
      expect(await total()).toBe(count + sequence - 1);
    } while (!isRetained);
    await retaining;
    expect(await total()).toBe(count + sequence - 1);
  });

  it("is read after it was closed, and by a reader", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory, retention);
    await store.write([buildBatch(1, [cpu(1, oldUs), cpu(3, oldUs + 1)])], nowUs);
    await store.retain(nowUs);
    await store.close();
    const reader = await openStoreReadOnly(directory);
    onTestFinished(() => reader.close());
    expect((await reader.history({ ...query, bucketUs: hourUs, aggregate: "mean" }))[0].points).toEqual([[oldUs, 2]]);
  });

  it("reads a file of the first version as it is, and brings it up to date to write", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory);
    await store.write([buildBatch(1, [cpu(1, oldUs), cpu(3, oldUs + 1)])], nowUs);
    await store.close();
    const instance = await DuckDBInstance.create(join(directory, "fleetmark.duckdb"));
    const connection = await instance.connect();
    for (const table of ["hours", "horizon", "batch_ranges"]) await connection.run(`DROP TABLE ${table}`);
    await connection.run("ALTER TABLE batches DROP COLUMN digest");
    await connection.run("DELETE FROM meta WHERE schema_version > 1");
    connection.closeSync();
    instance.closeSync();
    const ask = async (reader: StoreReader) =>
      (await reader.history({ ...query, bucketUs: hourUs, aggregate: "mean" }))[0].points;
    const reader = await openStoreReadOnly(directory);
    expect(await ask(reader)).toEqual([[oldUs, 2]]);
    await reader.close();
    const upgraded = await open(directory);
    await upgraded.retain(nowUs);
    expect(await ask(upgraded)).toEqual([[oldUs, 2]]);
  });
});

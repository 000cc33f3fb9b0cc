import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { buildBatch, makeDirectory, makeResult } from "../../test/support.js";
import { openStore } from "../store/duckdb/duckdb.js";
import { type Store, StoreBusy } from "../store/store.js";
import { createMetrics } from "../telemetry/metrics.js";
import { createWriter } from "./writer.js";

const logger = pino({ level: "silent" });
const cpu = (value: number) => ({
  measurement: "cpu",
  tags: {},
  timeUs: 1_700_000_000_000_000 + value,
  fields: { usage_user: value },
});

async function countRows(store: Store): Promise<number> {
  const query = { measurement: "cpu", field: "usage_user", tags: {}, fromUs: 0, toUs: 2e15, bucketUs: 1, maxPoints: 1e6 };
  return (await store.history({ ...query, aggregate: "max" })).flatMap(({ points }) => points).length;
}

describe("the writer", () => {
  it("acknowledges only what is stored, and tries a failing store until it takes the batch", async () => {
    const store = await openStore(makeDirectory());
    let failures = 2;
    const flaky: Store = {
      ...store,
      write: async (batches, receivedUs) => {
        if (failures-- > 0) throw new FleetmarkError("STORE_FAILED", "no space left");
        return store.write(batches, receivedUs);
      },
    };
    const metrics = createMetrics();
    const writer = createWriter(flaky, metrics, logger);
    const seen = await new Promise<{ rows: Promise<number>; failure: string | undefined }>((resolve) => {
      writer.enqueue(buildBatch(1, [cpu(1)]), 100, () => resolve({ rows: countRows(store), failure: writer.failure() }));
    });
    expect(await seen.rows).toBe(1);
    expect((await metrics.storeFailures.get()).values[0].value).toBe(2);
    await writer.stop(1000);
    expect(writer.failure()).toBeUndefined();
    await store.close();
  });

  it("does not try a store again before the time that it asked for", async () => {
    const store = await openStore(makeDirectory());
    const tries: number[] = [];
    const busy: Store = {
      ...store,
      write: async (batches, receivedUs) => {
        tries.push(performance.now());
        if (tries.length === 1) throw new StoreBusy("slow down", 700);
        return store.write(batches, receivedUs);
      },
    };
    const writer = createWriter(busy, createMetrics(), logger);
    await new Promise<void>((resolve) => writer.enqueue(buildBatch(1, [cpu(1)]), 100, resolve));
    // A timer may fire a millisecond early.
    expect(tries[1] - tries[0]).toBeGreaterThan(695);
    await writer.stop(1000);
    await store.close();
  });

  it("acknowledges nothing before the store has shown that it keeps what is written, and says why", async () => {
    const store = await openStore(makeDirectory());
    let isReady = false;
    const unready: Store = {
      ...store,
      prepare: async () => {
        if (!isReady) throw new FleetmarkError("STORE_FAILED", "store.org is missing");
      },
    };
    const writer = createWriter(unready, createMetrics(), logger);
    expect(writer.failure()).toBeDefined();
    let acknowledged = 0;
    writer.enqueue(buildBatch(1, [cpu(1)]), 100, () => acknowledged++);
    await delay(20);
    expect(writer.failure()).toBe("store.org is missing");
    expect([acknowledged, await countRows(store)]).toEqual([0, 0]);
    isReady = true;
    await expect.poll(() => acknowledged, { timeout: 5000 }).toBe(1);
    expect(writer.failure()).toBeUndefined();
    await writer.stop(1000);
    await store.close();
  });

  it("gathers what waits into one transaction, in order, and asks for a pause while it is full", async () => {
    const store = await openStore(makeDirectory());
    const groups: number[][] = [];
    const recording: Store = {
      ...store,
      write: (batches, receivedUs) => {
        groups.push(batches.map(({ id }) => id.sequence));
        return store.write(batches, receivedUs);
      },
    };
    const metrics = createMetrics();
    const writer = createWriter(recording, metrics, logger);
    expect(writer.waitForRoom()).toBeUndefined();
    for (let sequence = 1; sequence <= 40; sequence++) writer.enqueue(buildBatch(sequence, [cpu(sequence)]), 2 ** 20);
    writer.enqueue(buildBatch(40, [cpu(40)]), 2 ** 20);
    const room = writer.waitForRoom();
    expect(room).toBeDefined();
    await room;
    await writer.stop(5000);
    expect(groups.map((group) => group.length)).toEqual([1, 40]);
    expect(groups.flat()).toEqual([...Array.from({ length: 40 }, (_, i) => i + 1), 40]);
    expect((await metrics.batchesRepeated.get()).values[0].value).toBe(1);
    expect(await countRows(store)).toBe(40);
    await store.close();
  });

  it("writes at once after a pause, then every tenth of a second, and at once again when it is closed", async () => {
    const store = await openStore(makeDirectory());
    const times: number[] = [];
    const recording: Store = {
      ...store,
      write: (batches, receivedUs) => {
        times.push(performance.now());
        return store.write(batches, receivedUs);
      },
    };
    const writer = createWriter(recording, createMetrics(), logger);
    let acknowledged = 0;
    const began = performance.now();
    for (let sequence = 1; sequence <= 60; sequence++) {
      writer.enqueue(buildBatch(sequence, [cpu(sequence)]), 100, () => acknowledged++);
      await delay(5);
    }
    const most = Math.floor((performance.now() - began) / 100) + 1;
    expect(times[0] - began).toBeLessThan(50);
    expect(times.length).toBeGreaterThan(1);
    expect(times.length).toBeLessThanOrEqual(most);
    // A timer may fire a millisecond early.
    for (let i = 1; i < times.length; i++) expect(times[i] - times[i - 1]).toBeGreaterThan(97);
    await writer.stop(5000);
    expect(acknowledged).toBe(60);
    await store.close();
  });

  it("gives up a store that keeps failing when it is closed, without an acknowledgement", async () => {
    const store = await openStore(makeDirectory());
    const failed = new EventTarget();
    const broken: Store = {
      ...store,
      write: async () => {
        failed.dispatchEvent(new Event("failed"));
        throw new FleetmarkError("STORE_FAILED", "no space left");
      },
    };
    const writer = createWriter(broken, createMetrics(), logger);
    let acknowledged = false;
    const attempted = once(failed, "failed");
    writer.enqueue(buildBatch(1, [cpu(1)]), 100, () => {
      acknowledged = true;
    });
    await attempted;
    await writer.stop(10);
    expect(writer.failure()).toBe("no space left");
    expect(acknowledged).toBe(false);
    await store.close();
  });

  it("stores and acknowledges nothing that comes once it is closed", async () => {
    const store = await openStore(makeDirectory());
    const writer = createWriter(store, createMetrics(), logger);
    await new Promise<void>((resolve) => writer.enqueue(buildBatch(1, [cpu(1)]), 100, resolve));
    await writer.stop(1000);
    const acknowledged: number[] = [];
    writer.enqueue(buildBatch(2, [cpu(1)]), 100, () => acknowledged.push(2));
    await store.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(acknowledged).toEqual([]);
  });

  it("tells after the commit which records are new, once for a commit and in order", async () => {
    const store = await openStore(makeDirectory());
    let failures = 1;
    const flaky: Store = {
      ...store,
      write: async (batches, receivedUs) => {
        if (failures-- > 0) throw new FleetmarkError("STORE_FAILED", "no space left");
        return store.write(batches, receivedUs);
      },
    };
    const heard: (readonly KindedRecord[])[] = [];
    const writer = createWriter(flaky, createMetrics(), logger, (records) => heard.push(records));
    const records = ["run-1", "run-2", "run-3"].map((run) => ({ kind: resultRecord, record: makeResult({ run }) }));
    const batches = records.map(({ record }, i) => buildBatch(i + 1, [resultRecord.toPoint(record)]));
    const enqueue = (i: number) => new Promise<void>((resolve) => writer.enqueue(batches[i], 100, resolve, [records[i]]));
    await Promise.all([enqueue(0), enqueue(1)]);
    // One comes again, one has none, one is new.
    const plain = new Promise<void>((resolve) => writer.enqueue(buildBatch(9, [cpu(1)]), 100, resolve));
    await Promise.all([enqueue(1), plain, enqueue(2)]);
    await writer.stop(1000);
    expect(heard.flat()).toEqual(records);
    for (const [i, record] of heard.flat().entries()) expect(record).toBe(records[i]);
    expect(heard.every((group) => group.length > 0)).toBe(true);
    await store.close();
  });

  it("goes on when what hears of new records fails, and logs it", async () => {
    const store = await openStore(makeDirectory());
    const lines: string[] = [];
    const telling = pino({ level: "error" }, { write: (line: string) => lines.push(line) });
    const writer = createWriter(store, createMetrics(), telling, () => {
      throw new Error("a defect");
    });
    const result = makeResult();
    const records = [{ kind: resultRecord, record: result }];
    const batch = buildBatch(1, [resultRecord.toPoint(result)]);
    await new Promise<void>((resolve) => writer.enqueue(batch, 100, resolve, records));
    await new Promise<void>((resolve) => writer.enqueue(buildBatch(2, [cpu(1)]), 100, resolve));
    await writer.stop(1000);
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(["commit_listener_failed"]);
    expect(await store.findByText(resultRecord, "run", result.run)).toEqual([result]);
    expect(writer.failure()).toBeUndefined();
    await store.close();
  });
});

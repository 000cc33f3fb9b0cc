import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { nameBatch } from "@fleetmark/shared/model/batch";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeTestFolder, undoAfterEach } from "../../test/folder.js";
import { makeBytes, openTestSpool, startMs, type TestSpool } from "../../test/spool.js";
import type { Fate, Priority } from "../batch/encoded-batch.js";
import type { Entry } from "../batch/entry.js";
import type { SpoolOptions } from "./spool.js";

const { cleanups, makeDir } = undoAfterEach();

async function open(dir: string, given?: Partial<SpoolOptions>): Promise<TestSpool> {
  const opened = await openTestSpool(dir, given);
  cleanups.push(() => opened.spool.close());
  return opened;
}

const names = (entries: readonly Entry[]): string[] => entries.map(({ id }) => nameBatch(id));

test("batches are ready once they are on the disk, and are there for the next process, in order, results first", async () => {
  const dir = makeDir();
  const first = await open(dir);
  const put = [first.put("telemetry", 10), first.put("result", 20), first.put("telemetry", 30)];
  expect(first.ready).toEqual([]);
  await first.spool.flush();
  expect(names(first.ready)).toEqual([put[1], put[0], put[2]]);
  expect(first.spool).toMatchObject({ batches: 3, bytes: 60, samples: 3, oldestPutMs: startMs });
  first.spool.release(first.ready[1], "committed");
  expect(first.gone).toEqual([[put[0], "committed"]]);
  expect(await first.spool.close()).toEqual({ batches: 2, samples: 2 });

  const second = await open(dir);
  expect(second.spool.epochUs).toBeGreaterThan(first.spool.epochUs);
  expect(second.spool).toMatchObject({ batches: 2, bytes: 50, samples: 2 });
  const later = second.put("result", 5);
  await second.spool.flush();
  const all = await second.readAll();
  expect(names(all)).toEqual([put[1], later, put[2]]);
  expect(all.map(({ id: { host } }) => host)).toEqual(["h", "h", "h"]);
  expect(Buffer.from(all[2].bytes)).toEqual(Buffer.from(makeBytes(all[2].id, 30)));
  expect(all.map(({ priority, samples }) => [priority, samples])).toEqual([
    ["result", 1],
    ["result", 1],
    ["telemetry", 1],
  ]);
});

test("a new process has an epoch above all before it, though the clock went back and the spool is empty", async () => {
  const dir = makeDir();
  const first = await open(dir);
  await first.spool.close();
  const second = await open(dir, { wallMs: startMs - 3_600_000 });
  expect(second.spool.epochUs).toBeGreaterThan(first.spool.epochUs);
});

test("the last stamped time and the counts of drops outlive the process", async () => {
  const dir = makeDir();
  const first = await open(dir, { maxBytes: 100 });
  expect(first.spool.clockBefore).toEqual({ lastUs: 0, generation: 0 });
  for (let i = 0; i < 12; i++) first.put("telemetry", 10);
  await first.spool.flush();
  first.put("telemetry", 1, startMs + 5000);
  await first.spool.close();
  const second = await open(dir);
  expect(second.spool.clockBefore).toEqual({ lastUs: (startMs + 5000) * 1000, generation: 0 });
  expect(Object.fromEntries(second.counts.dropped)).toEqual({ SPOOL_FULL: 3 });
});

test("batches of a host that has been renamed keep their name", async () => {
  const dir = makeDir();
  const first = await open(dir, { host: "old" });
  first.put("telemetry", 1);
  await first.spool.close();
  const second = await open(dir, { host: "new" });
  expect(second.spool.findHost(first.spool.epochUs)).toBe("old");
  expect(second.spool.findHost(second.spool.epochUs)).toBe("new");
  expect(second.spool.findHost(5)).toBeUndefined();
  expect((await second.readAll())[0].id.host).toBe("old");
});

test("what has waited for too long is dropped, and the age of the oldest is known", async () => {
  const dir = makeDir();
  const { put, spool, gone, codes } = await open(dir, { maxAge: 60 });
  const old = [put("result", 1, startMs), put("telemetry", 1, startMs + 1000)];
  await spool.flush();
  put("telemetry", 1, startMs + 59_000);
  await spool.flush();
  expect(gone).toEqual([]);
  expect(spool.oldestPutMs).toBe(startMs);
  put("telemetry", 1, startMs + 61_500);
  await spool.flush();
  expect(gone).toEqual(old.map((name) => [name, "SPOOL_TOO_OLD"]));
  expect(spool).toMatchObject({ batches: 2, oldestPutMs: startMs + 59_000 });
  expect(codes).toContain("SPOOL_TOO_OLD");
});

test("what is dropped while the spool is opened is counted, though nobody listens yet", async () => {
  const dir = makeDir();
  const first = await open(dir);
  for (const priority of ["result", "telemetry"] as const) first.put(priority, 1);
  await first.spool.close();
  const second = await open(dir, { maxAge: 60, wallMs: startMs + 61_000 });
  expect(second.spool.batches).toBe(0);
  expect(Object.fromEntries(second.counts.dropped)).toEqual({ SPOOL_TOO_OLD: 2 });
});

test("releases by name find batches wherever they are, and only those that are alive", async () => {
  const dir = makeDir();
  const first = await open(dir);
  first.put("result", 1);
  const { epochUs } = first.spool;
  await first.spool.close();
  const { put, spool, gone } = await open(dir);
  put("telemetry", 1);
  for (const position of [
    { epochUs, sequence: 1 },
    { epochUs, sequence: 1 },
    { epochUs, sequence: 2 },
    { epochUs: spool.epochUs, sequence: 1 },
    { epochUs: spool.epochUs, sequence: 1 },
  ])
    spool.releaseByName(position, "committed");
  await spool.flush();
  expect(gone.sort()).toEqual([`${epochUs}/1`, `${spool.epochUs}/1`].map((name) => [name, "committed"]));
  expect(spool.batches).toBe(0);
});

test("a batch that goes with its whole file does not take another of the same number with it", async () => {
  const dir = makeDir();
  const names: string[] = [];
  for (let process = 0; process < 2; process++) {
    const { put, spool } = await open(dir);
    names.push(put("telemetry", 1));
    await spool.close();
  }
  const third = await open(dir);
  third.spool.release((await third.readAll())[1], "committed");
  await third.spool.flush();
  await third.spool.close();
  const fourth = await open(dir);
  expect((await fourth.readAll()).map(({ id }) => nameBatch(id))).toEqual([names[0]]);
});

test("a second agent on the same folder is told so, and a folder that can't be made is an error at once", async () => {
  const dir = makeDir();
  const { put, spool } = await open(dir);
  await expect(openTestSpool(dir)).rejects.toMatchObject({ code: "SPOOL_LOCKED" });
  put("telemetry", 1);
  await spool.flush();
  expect(spool.batches).toBe(1);
  writeFileSync(join(dir, "file"), "");
  await expect(openTestSpool(join(dir, "file", "spool"))).rejects.toMatchObject({ code: "SPOOL_UNWRITABLE" });
});

test("a spool of a newer format is left alone", async () => {
  const dir = makeDir();
  const first = await open(dir);
  first.put("telemetry", 1);
  await first.spool.close();
  const path = join(dir, "note");
  const ledger = Buffer.from(JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8").slice(8)), version: 2 }));
  writeFileSync(path, crc32(ledger).toString(16).padStart(8, "0") + ledger.toString());
  await expect(openTestSpool(dir)).rejects.toMatchObject({ code: "DATA_NEWER" });
});

interface Model {
  alive: { name: string; priority: Priority; size: number }[];
  gone: [string, Fate][];
}

function putIntoModel(model: Model, name: string, priority: Priority, size: number, maxBytes: number): void {
  model.alive.push({ name, priority, size });
  while (model.alive.reduce((sum, each) => sum + each.size, 0) > maxBytes) {
    const telemetry = model.alive.findIndex((each) => each.priority === "telemetry");
    const [victim] = model.alive.splice(Math.max(0, telemetry), 1);
    model.gone.push([victim.name, "SPOOL_FULL"]);
  }
}

const actionArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("put" as const),
      priority: fc.constantFrom<Priority>("telemetry", "telemetry", "result"),
      size: fc.integer({ min: 1, max: 260 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("release" as const), which: fc.nat(), byName: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("restart" as const), backMs: fc.integer({ min: 0, max: 4e6 }) }) },
);

test("any sequence of puts, releases and restarts keeps order, bounds and every batch's single fate", async () => {
  const maxBytes = 1000;
  await fc.assert(
    fc.asyncProperty(fc.array(actionArbitrary, { maxLength: 50 }), async (actions) => {
      const folder = makeTestFolder();
      const model: Model = { alive: [], gone: [] };
      const gone: [string, Fate][] = [];
      const openAgain = (backMs: number) => openTestSpool(folder.path, { maxBytes, wallMs: startMs - backMs });
      let current = await openAgain(0);
      try {
        for (const action of actions) {
          if (action.act === "put") {
            const name = current.put(action.priority, action.size);
            putIntoModel(model, name, action.priority, action.size, maxBytes);
          } else if (action.act === "release") {
            if (model.alive.length === 0) continue;
            const [{ name }] = model.alive.splice(action.which % model.alive.length, 1);
            model.gone.push([name, "committed"]);
            await current.spool.flush();
            const [epochUs, sequence] = name.split("/").map(Number);
            if (action.byName) current.spool.releaseByName({ epochUs, sequence }, "committed");
            else current.spool.release((await current.readAll()).find(({ id }) => nameBatch(id) === name) as Entry, "committed");
          } else {
            await current.spool.close();
            gone.push(...current.gone);
            current = await openAgain(action.backMs);
          }
          await current.spool.flush();
          expect(current.spool.bytes).toBe(model.alive.reduce((sum, { size }) => sum + size, 0));
        }
        const expected = ["result", "telemetry"].flatMap((priority) => model.alive.filter((each) => each.priority === priority));
        const all = await current.readAll();
        expect(names(all)).toEqual(expected.map(({ name }) => name));
        for (const { id, bytes } of all) expect(Buffer.from(bytes)).toEqual(Buffer.from(makeBytes(id, bytes.length)));
        expect([...gone, ...current.gone]).toEqual(model.gone);
        expect(current.spool).toMatchObject({ batches: all.length, samples: all.length });
        expect(current.counts.quarantined).toBe(0);
      } finally {
        await current.spool.close();
        folder.remove();
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

test("a burst within one group keeps the bound too, and results outlive telemetry", async () => {
  const { put, spool, readAll } = await open(makeDir(), { maxBytes: 100 });
  const result = put("result", 10);
  for (let i = 0; i < 50; i++) put("telemetry", 10);
  const lastResult = put("result", 10);
  await spool.flush();
  expect(spool.bytes).toBe(100);
  const kept = names(await readAll());
  expect(kept.slice(0, 2)).toEqual([result, lastResult]);
  expect(kept.slice(2)).toEqual(Array.from({ length: 8 }, (_, i) => `${spool.epochUs}/${44 + i}`));
});

function measureFolder(dir: string): number {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

test("deleted batches give their space back to the disk, however often it is filled and drained", async () => {
  const dir = makeDir();
  const maxBytes = 16 * 2 ** 20;
  const { put, spool, ready } = await open(dir, { maxBytes });
  let most = 0;
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 800; i++) {
      put("telemetry", 30_000);
      if (i % 50 === 49) await spool.flush();
      most = Math.max(most, i % 200 === 199 ? measureFolder(dir) : 0);
    }
    if (round % 2 === 0) continue;
    // The spool holds 559 of these.
    for (const entry of ready.splice(-500)) spool.release(entry, "committed");
    ready.length = 0;
    await spool.flush();
  }
  expect(most).toBeLessThan(maxBytes + 4 * 2 ** 20);
  await spool.close();
  expect(measureFolder(dir)).toBeLessThan(spool.bytes + 2 * 2 ** 20);
}, 60_000);

import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory } from "../../../../test/support.js";
import type { Store, StoreReader } from "../../store.js";
import { openStore, openStoreReadOnly, readDataFile } from "../duckdb.js";
import { type Damage, writeViews } from "./damage.js";

const dayUs = 86_400e6;
const nowUs = 1_800_000_000e6;
const retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };
const name = "fleetmark.duckdb";

/** A closed store of 300 000 numbers of the last forty days. */
async function fill(): Promise<string> {
  const directory = makeDirectory();
  const store = await openStore(directory);
  for (let sequence = 1; sequence <= 6; sequence++) {
    const points = Array.from({ length: 1000 }, (_, i) => {
      const at = (sequence - 1) * 1000 + i;
      const fields = Object.fromEntries(Array.from({ length: 50 }, (_, k) => [`f${k}`, Math.sin(at * 50 + k) * 1e9]));
      return { measurement: "cpu", tags: {}, timeUs: nowUs - 40 * dayUs + Math.round((at * 40 * dayUs) / 6000), fields };
    });
    await store.write([buildBatch(sequence, points)], nowUs);
  }
  await store.close();
  return directory;
}

/** Changes some bytes at a share of the file. */
function damage(directory: string, share: number): void {
  const path = join(directory, name);
  const at = Math.floor(statSync(path).size * share);
  const file = openSync(path, "r+");
  const bytes = Buffer.alloc(8);
  readSync(file, bytes, 0, 8, at);
  writeSync(
    file,
    bytes.map((byte) => byte ^ 0xff),
    0,
    8,
    at,
  );
  closeSync(file);
}

async function open(directory: string): Promise<Store> {
  const store = await openStore(directory, retention);
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

async function countAll(reader: StoreReader): Promise<number> {
  let count = 0;
  for await (const { kind, samples } of reader.read({ measurements: ["cpu"], fromUs: 0, toUs: nowUs * 2 })) {
    count += samples.numbers.values.length / (kind === "hours" ? 7 : 1);
  }
  return count;
}

const ask = { measurement: "cpu", field: "f1", tags: {}, fromUs: 0, toUs: nowUs, bucketUs: dayUs, maxPoints: 1e5 } as const;

describe("a damaged block", () => {
  it.each([0.6, 0.75, 0.9])("at %d of the file costs its own rows: they are counted, and all else goes on", async (share) => {
    const directory = await fill();
    damage(directory, share);
    await expect(readDataFile(directory, () => {})).rejects.toMatchObject({ code: "DATA_DAMAGED" });
    const store = await open(directory);
    await store.retain(nowUs);
    expect((await store.history({ ...ask, aggregate: "mean" })).length).toBe(1);
    const lost = store.listDamage().reduce((sum, { rows }) => sum + rows, 0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(300_000);
    const plan = await store.planRetention(nowUs);
    const written = await store.write(
      [buildBatch(9, [{ measurement: "cpu", tags: {}, timeUs: nowUs, fields: { f1: 1 } }])],
      nowUs,
    );
    expect(written).toHaveLength(1);
    await store.close();
    const again = await open(directory);
    expect(again.listDamage()).toEqual(store.listDamage());
    expect((await again.planRetention(nowUs))?.samples).toBe((plan?.samples ?? 0) + 1);
    await again.close();
    expect(await readDataFile(directory, () => {})).toBe("every row can be read");
  });

  it("is gone round where the file is only read, and what is left can be exported", async () => {
    const directory = await fill();
    const whole = await openStoreReadOnly(directory);
    const all = await countAll(whole);
    await whole.close();
    damage(directory, 0.75);
    const before = readFileSync(join(directory, name));
    const reader = await openStoreReadOnly(directory);
    const left = await countAll(reader);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(all);
    expect((await reader.history({ ...ask, aggregate: "mean" })).length).toBe(1);
    await reader.close();
    expect(readFileSync(join(directory, name)).equals(before)).toBe(true);
  });

  it("is gone round by views that leave out the rows and nothing else", () => {
    const make = (from: number, to: number): Damage => ({ table: "numbers", from, to, fromUs: null, toUs: null });
    expect(writeViews([make(20, 30), make(0, 10)], "fleetmark")).toEqual([
      'CREATE OR REPLACE TEMP VIEW numbers AS SELECT * FROM "fleetmark".main.numbers WHERE rowid >= 0 AND rowid < 0 UNION ALL SELECT * FROM "fleetmark".main.numbers WHERE rowid >= 10 AND rowid < 20 UNION ALL SELECT * FROM "fleetmark".main.numbers WHERE rowid >= 30',
    ]);
  });
});

describe("a file that is damaged as a whole", () => {
  it("is named, and so is its log, with what to do", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory);
    const point = (x: number) => ({ measurement: "cpu", tags: {}, timeUs: nowUs + x, fields: { x } });
    await store.write([buildBatch(1, [point(1)])], nowUs);
    const [path, log] = [join(directory, name), join(directory, `${name}.wal`)];
    const copy = makeDirectory();
    const take = (): string => {
      copyFileSync(path, join(copy, name));
      copyFileSync(log, join(copy, `${name}.wal`));
      return join(copy, `${name}.wal`);
    };
    const middle = take();
    const bytes = readFileSync(middle);
    bytes[bytes.length >> 1] ^= 0xff;
    writeFileSync(middle, bytes);
    await expect(openStore(copy)).rejects.toMatchObject({ code: "DATA_LOG_CORRUPT", message: expect.stringContaining(".wal") });
    const garbage = take();
    writeFileSync(garbage, Buffer.alloc(1000, 7));
    await expect(openStore(copy)).rejects.toMatchObject({ code: "DATA_LOG_CORRUPT" });
    expect(readFileSync(garbage)).toHaveLength(1000);
    await store.close();
    copyFileSync(path, join(copy, name));
    writeFileSync(garbage, "");
    truncateSync(join(copy, name), 100_000);
    await expect(openStore(copy)).rejects.toMatchObject({ code: "DATA_CORRUPT", message: expect.stringContaining("cut off") });
  });
});

import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory } from "../../../test/support.js";
import type { Store } from "../store.js";
import { openStore, openStoreReadOnly } from "./duckdb.js";

/** What becomes of a promise about a path when the path leads elsewhere. */

const startUs = Date.now() * 1000 - 60e6;
const point = (sequence: number) => ({
  measurement: "cpu",
  tags: { cpu: "cpu0" },
  timeUs: startUs + sequence,
  fields: { usage_user: sequence },
});

async function write(store: Store, ...sequences: number[]): Promise<void> {
  await store.write(
    sequences.map((sequence) => buildBatch(sequence, [point(sequence)])),
    startUs,
  );
}

async function readValues(directory: string): Promise<number[]> {
  const reader = await openStoreReadOnly(directory);
  const range = { fromUs: startUs, toUs: startUs + 1e6, bucketUs: 1, maxPoints: 1000, aggregate: "last" } as const;
  const histories = await reader.history({ measurement: "cpu", field: "usage_user", tags: {}, ...range });
  await reader.close();
  return histories.flatMap(({ points }) => points.map(([, value]) => value));
}

async function openAt(directory: string): Promise<Store> {
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return store;
}

const vanished = expect.objectContaining({ code: "DATA_VANISHED" });

describe("a data file that is no longer under its name", () => {
  it("takes nothing more when its folder was removed, and is made anew by the next write", async () => {
    const directory = join(makeDirectory(), "data");
    const store = await openAt(directory);
    await write(store, 1);
    rmSync(directory, { recursive: true });
    await expect(write(store, 2)).rejects.toEqual(vanished);
    await write(store, 2, 3);
    await store.close();
    expect(await readValues(directory)).toEqual([2, 3]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "fleetmark.duckdb")).mode & 0o777).toBe(0o600);
  });

  it("gives way to a backup that was put in its place, and leaves that and its log alone", async () => {
    const parent = makeDirectory();
    const [directory, backup] = [join(parent, "data"), join(parent, "backup")];
    const store = await openAt(directory);
    await write(store, 1);
    // A copy of a file in use, with its log: what a snapshot of the disk gives.
    mkdirSync(backup);
    cpSync(directory, backup, { recursive: true });
    expect(existsSync(join(backup, "fleetmark.duckdb.wal"))).toBe(true);
    await write(store, 2);
    renameSync(directory, join(parent, "former"));
    renameSync(backup, directory);
    await expect(write(store, 3)).rejects.toEqual(vanished);
    expect(existsSync(join(directory, "fleetmark.duckdb.wal"))).toBe(true);
    // Batch 2 is not in the backup: it is new there.
    await write(store, 2, 3);
    await store.close();
    expect(await readValues(directory)).toEqual([1, 2, 3]);
    expect(await readValues(join(parent, "former"))).toEqual([1, 2]);
  });

  it("acknowledges nothing into a log that was removed", async () => {
    const directory = join(makeDirectory(), "data");
    const store = await openAt(directory);
    await write(store, 1);
    rmSync(join(directory, "fleetmark.duckdb.wal"));
    // The file's own time is older than the commit: the log was not taken in.
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(join(directory, "fleetmark.duckdb"), longAgo, longAgo);
    await expect(write(store, 2)).rejects.toEqual(vanished);
    await write(store, 3);
    await store.close();
    expect(await readValues(directory)).toContain(3);
  });

  it("is left alone at the close", async () => {
    const parent = makeDirectory();
    const directory = join(parent, "data");
    const store = await openStore(directory);
    await write(store, 1);
    rmSync(directory, { recursive: true });
    await store.close();
    expect(existsSync(directory)).toBe(false);
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it, onTestFinished } from "vitest";
import { openStore, openStoreReadOnly } from "#collector/store/duckdb/duckdb.js";
import { buildBatch, makeDirectory } from "../../collector/test/support.js";

const startUs = 1_800_000_000_000_000;
const keptRows = 500_000;
/** So many random values take 70 MB. */
const goneRows = 10_000_000;

/** Makes a data file of which most is free, and lies before what stays. */
async function makeHollowFile(directory: string): Promise<void> {
  const store = await openStore(directory);
  await store.write([buildBatch(1, [{ measurement: "mem", tags: {}, timeUs: startUs, fields: { used: 1 } }])], startUs);
  await store.close();
  const instance = await DuckDBInstance.create(join(directory, "fleetmark.duckdb"));
  const connection = await instance.connect();
  const id = "(SELECT id FROM series WHERE measurement = 'mem')";
  await connection.run(`INSERT INTO numbers SELECT ${id}, 0, random() FROM range(${goneRows})`);
  await connection.run("CHECKPOINT");
  await connection.run(`INSERT INTO numbers SELECT ${id}, 1 + i, random() FROM range(${keptRows}) r(i)`);
  await connection.run("CHECKPOINT");
  await connection.run("DELETE FROM numbers WHERE time_us = 0");
  connection.closeSync();
  instance.closeSync();
}

/** Stores batch after batch in a process of its own while the file is compacted; a line tells each that is stored. */
function spawnWriter(directory: string) {
  const url = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
  const script = `
    import { openStore } from ${url("collector/dist/store/duckdb/duckdb.js")};
    import { BatchBuilder } from ${url("shared/dist/model/batch.js")};
    const store = await openStore(process.argv[1]);
    void store.retain(${startUs}).then(({ bytes_freed }) => console.log("freed " + bytes_freed));
    for (let sequence = 2; ; sequence++) {
      const builder = new BatchBuilder();
      builder.add({ measurement: "mem", tags: {}, timeUs: ${startUs} + sequence, fields: { used: sequence } });
      await store.write([builder.build({ host: "h1", epochUs: 1, sequence })], ${startUs});
      console.log("stored " + sequence);
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stored: number[] = [];
  let freed = 0;
  createInterface(child.stdout).on("line", (line) => {
    const [what, value] = line.split(" ");
    if (what === "stored") stored.push(Number(value));
    else freed = Number(value);
  });
  return { child, stored, freed: () => freed };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(1);
}

it("has one of the two files, whole, after kill -9 at any moment of a compaction", async () => {
  const hollow = makeDirectory();
  await makeHollowFile(hollow);
  const wasFreed: boolean[] = [];
  // Milliseconds after it began; the last ones come when it is done.
  for (const killAfterMs of [0, 20, 60, 120, 200, 300, 450, 700, undefined]) {
    const directory = makeDirectory();
    cpSync(hollow, directory, { recursive: true });
    const writer = spawnWriter(directory);
    await until(() => existsSync(join(directory, "compacting")));
    if (killAfterMs === undefined) await until(() => writer.freed() > 0);
    else await sleep(killAfterMs);
    writer.child.kill("SIGKILL");
    await once(writer.child, "close");
    wasFreed.push(statSync(join(directory, "fleetmark.duckdb")).size < 64e6);
    const store = await openStore(directory);
    await store.close();
    expect(existsSync(join(directory, "compacting"))).toBe(false);
    const reader = await openStoreReadOnly(directory);
    const query = { measurement: "mem", field: "used", tags: {}, bucketUs: 1, maxPoints: 1e6 } as const;
    const young = { ...query, fromUs: startUs + 2, toUs: startUs + 1e6 };
    const points = (await reader.history({ ...young, aggregate: "count" })).flatMap((history) => history.points);
    const old = { ...query, fromUs: 0, toUs: startUs, bucketUs: startUs };
    const [kept] = await reader.history({ ...old, aggregate: "count" });
    await reader.close();
    expect(kept.points).toEqual([[0, keptRows]]);
    expect(points.every(([, count]) => count === 1)).toBe(true);
    const stored = points.map(([timeUs]) => timeUs - startUs);
    expect(stored).toEqual(Array.from({ length: stored.length }, (_, i) => i + 2));
    expect(stored.length).toBeGreaterThanOrEqual(writer.stored.length);
  }
  // Killed early it is the old file, and at last the new one.
  expect(wasFreed[0]).toBe(false);
  expect(wasFreed.at(-1)).toBe(true);
});

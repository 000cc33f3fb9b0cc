import { appendFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "@fleetmark/shared/config/config";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { type Delivery, startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { startGrpcLink } from "#agent/links/grpc-link.js";
import { openStore, openStoreReadOnly } from "#collector/store/duckdb/duckdb.js";
import { makeFolder, runProgram, startDaemon } from "../testbed/program.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function makePlace(): string {
  const folder = makeFolder();
  cleanups.push(folder.remove);
  return folder.path;
}

const run = (...args: string[]) => runProgram(["store", ...args]);

async function count(dataDir: string): Promise<number> {
  const reader = await openStoreReadOnly(dataDir);
  let found = 0;
  for await (const { samples } of reader.read({ measurements: ["m"], fromUs: 0, toUs: 2 ** 53 - 1 }))
    found += samples.numbers.values.length;
  await reader.close();
  return found;
}

/** A closed data file of so many values. */
async function fill(dataDir: string, values: number): Promise<void> {
  const store = await openStore(dataDir);
  const builder = new BatchBuilder();
  for (let i = 0; i < values; i++) builder.add({ measurement: "m", tags: { host: "h" }, timeUs: 1e15 + i, fields: { x: i } });
  await store.write([builder.build({ host: "h", epochUs: 1, sequence: 1 })], 1e15);
  await store.close();
}

async function attach(address: Address, dir: string): Promise<Delivery> {
  const logger = pino({ level: "silent" });
  const spool = { dir, maxBytes: 1e7, maxAge: 86_400, resendRate: 1e6 };
  const delivery = await startDelivery({ host: "h2", spool, flushInterval: 0.01, logger });
  const introduction = { host: "h2", agentVersion: "0", hardwareClass: "c", inventoryJson: "{}" };
  const clockOffset = createClockOffsetMeter();
  delivery.attach((window, counts) => startGrpcLink({ address, tls: {}, introduction, window, counts, clockOffset, logger }));
  cleanups.push(() => delivery.stop(0));
  return delivery;
}

describe("a backup", () => {
  it("is made while a collector takes batches, which keeps its hold of the file and all that it took", async () => {
    const [dataDir, place] = [makePlace(), makePlace()];
    await fill(dataDir, 50_000);
    const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    const collector = await startDaemon(["collector", "--data-dir", dataDir, ...listen]);
    cleanups.push(() => collector.process.kill("SIGKILL"));
    const delivery = await attach((collector.facts as { grpc: Address }).grpc, join(place, "spool"));
    let sent = 0;
    const send = async (): Promise<void> => {
      expect(
        await delivery.recordResult({ measurement: "m", tags: {}, timeUs: Date.now() * 1000 + sent++, fields: { x: 1 } }),
      ).toBe("committed");
    };
    for (let i = 0; i < 10; i++) await send();
    const backing = run("backup", join(place, "b"), "--data-dir", dataDir, "--json");
    for (let i = 0; i < 10; i++) await send();
    expect(await backing).toMatchObject({ code: 0 });
    for (let i = 0; i < 10; i++) await send();
    expect((await run("restore", join(place, "b"), "--data-dir", dataDir, "--yes")).stderr).toContain("DATA_LOCKED");
    expect(readdirSync(join(dataDir, "requests"))).toEqual([]);
    // As a crash would end it: what came after the copy lies in the log.
    collector.process.kill("SIGKILL");
    await collector.ended;
    expect(await count(dataDir)).toBe(50_030);
    expect((await run("restore", join(place, "b"), "--data-dir", join(place, "r"))).code).toBe(0);
    const restored = await count(join(place, "r"));
    expect(restored).toBeGreaterThanOrEqual(50_010);
    expect(restored).toBeLessThanOrEqual(50_030);
  });

  it("takes the place of a file only where that is allowed, and moves that aside", async () => {
    const [dataDir, other, place] = [makePlace(), makePlace(), makePlace()];
    await fill(dataDir, 100);
    await fill(other, 7);
    expect((await run("backup", join(place, "b"), "--data-dir", dataDir)).code).toBe(0);
    expect(await run("backup", join(place, "b"), "--data-dir", dataDir)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("is there already"),
    });
    expect(await run("restore", join(place, "b"), "--data-dir", other)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await count(other)).toBe(7);
    const restored = await run("restore", join(place, "b"), "--data-dir", other, "--yes", "--json");
    const { moved_aside } = JSON.parse(restored.stdout);
    expect([await count(other), existsSync(join(other, moved_aside))]).toEqual([100, true]);
  });

  it("that is damaged, or none, takes nothing's place", async () => {
    const [dataDir, place] = [makePlace(), makePlace()];
    await fill(dataDir, 100);
    await run("backup", join(place, "b"), "--data-dir", dataDir);
    appendFileSync(join(place, "b", "fleetmark.duckdb"), "x");
    for (const folder of ["b", "none"]) {
      expect(await run("restore", join(place, folder), "--data-dir", dataDir, "--yes")).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("BACKUP_INVALID"),
      });
    }
    expect(await count(dataDir)).toBe(100);
    rmSync(join(place, "b", "manifest.json"));
    expect((await run("restore", join(place, "b"), "--data-dir", join(place, "r"))).stderr).toContain("no manifest.json");
    expect(existsSync(join(place, "r"))).toBe(false);
  });

  it("of a server is the server's own", async () => {
    const { code, stderr } = await run("backup", "b", "--store-kind", "influxdb", "--store-url", "http://127.0.0.1:1");
    expect([code, stderr]).toEqual([2, expect.stringContaining("influx backup")]);
  });
});

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { nameBatch } from "@fleetmark/shared/model/batch";
import { afterAll, expect, it } from "vitest";
import { heldBytes } from "#agent/spool/bounds.js";
import { makeBytes, openTestSpool, type TestSpool } from "../../agent/test/spool.js";
import { describeUnless } from "../testbed/needs.js";
import { makeFolder } from "../testbed/program.js";

const folder = makeFolder();
const disk = join(folder.path, "disk");
mkdirSync(disk);
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]).status === 0;
afterAll(() => {
  if (mounted) spawnSync("umount", [disk]);
  folder.remove();
});

const ballast = join(disk, "ballast");

/** Fills what is left of the disk. */
function fillDisk(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
}

async function until(check: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!check()) {
    if (Date.now() > deadline) throw new Error("it did not come to that");
    await delay(20);
  }
}

async function checkWhole({ spool, readAll }: TestSpool): Promise<void> {
  const all = await readAll();
  expect(all.length).toBe(spool.batches);
  for (const { id, bytes } of all) expect(Buffer.from(bytes).equals(Buffer.from(makeBytes(id, bytes.length)))).toBe(true);
}

// Mounting needs root, and a kernel that lets it.
describeUnless(mounted ? undefined : "no file system can be mounted here")("a full disk under the spool", () => {
  it("holds nothing up: batches are sent from memory, and put on the disk when there is space again", async () => {
    const dir = join(disk, "recovers");
    const opened = await openTestSpool(dir);
    const { spool, put, ready, gone, codes, counts } = opened;
    for (let i = 0; i < 20; i++) put("telemetry", 10_000);
    await spool.flush();
    fillDisk();
    for (let i = 0; i < 30; i++) put(i % 5 === 0 ? "result" : "telemetry", 10_000);
    await spool.flush();
    expect(codes.filter((code) => code === "SPOOL_DISK_FULL")).toHaveLength(1);
    expect(ready.length).toBe(50);
    expect(spool.batches).toBe(50);
    // What is on the disk can still be read and released.
    expect((await opened.readAll()).length).toBeGreaterThanOrEqual(20);
    for (const entry of ready.slice(0, 10)) spool.release(entry, "committed");
    await spool.flush();
    expect(spool.listHeld().length).toBeGreaterThan(0);
    rmSync(ballast);
    await until(() => spool.listHeld().length === 0);
    expect(codes.filter((code) => code === "spool_disk_recovered")).toHaveLength(1);
    expect(ready.length).toBe(50);
    await checkWhole(opened);
    expect([spool.batches, gone.length, counts.quarantined]).toEqual([40, 10, 0]);
    await spool.close();
    const again = await openTestSpool(dir);
    expect([again.spool.batches, again.counts.quarantined]).toEqual([40, 0]);
    await checkWhole(again);
    await again.spool.close();
    rmSync(dir, { recursive: true });
  }, 60_000);

  it("costs the oldest telemetry of what memory can't hold either, by name, and starting on one is no trouble", async () => {
    const dir = join(disk, "starts");
    mkdirSync(dir);
    fillDisk();
    const opened = await openTestSpool(dir);
    const { spool, put, gone, ready } = opened;
    const size = 50_000;
    const names = Array.from({ length: 200 }, (_, i) => put(i % 10 === 0 ? "result" : "telemetry", size));
    await spool.flush();
    expect(spool.bytes).toBeLessThanOrEqual(heldBytes);
    expect(spool.bytes).toBeGreaterThan(heldBytes - 2 * size);
    expect(new Set(gone.map(([, fate]) => fate))).toEqual(new Set(["SPOOL_DISK_FULL"]));
    const telemetry = names.filter((_, i) => i % 10 !== 0);
    expect(gone.map(([name]) => name)).toEqual(telemetry.slice(0, gone.length));
    expect(gone.length + spool.batches).toBe(200);
    expect(ready.length).toBeGreaterThan(0);
    rmSync(ballast);
    await until(() => spool.listHeld().length === 0);
    await checkWhole(opened);
    await spool.close();
  }, 60_000);

  it("that the spool itself has filled is emptied by acknowledgements alone", async () => {
    rmSync(join(disk, "starts"), { recursive: true, force: true });
    const opened = await openTestSpool(join(disk, "drains"), { maxBytes: 64 * 2 ** 20 });
    const { spool, put, gone } = opened;
    for (let i = 0; i < 300; i++) {
      put("telemetry", 50_000);
      if (i % 10 === 0) await spool.flush();
    }
    await spool.flush();
    const full = spool.batches;
    expect(full).toBeGreaterThan(100);
    expect(gone.every(([, fate]) => fate === "SPOOL_DISK_FULL")).toBe(true);
    await until(() => {
      for (const entry of [...opened.ready.splice(0, 20)])
        if (!gone.some(([name]) => name === nameBatch(entry.id))) spool.release(entry, "committed");
      return opened.ready.length === 0;
    });
    await spool.flush();
    expect(spool.batches).toBe(0);
    put("telemetry", 50_000);
    await spool.flush();
    expect(spool.listHeld()).toEqual([]);
    await spool.close();
  }, 60_000);
});

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openTestSpool, startMs, type TestSpool } from "../../test/spool.js";

/** What becomes of a spool whose folder is no longer under its name. */

function makeDir(): string {
  const parent = mkdtempSync(join(tmpdir(), "fleetmark-spool-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "spool");
}

async function openAt(dir: string): Promise<TestSpool> {
  const opened = await openTestSpool(dir);
  onTestFinished(() => void opened.spool.close());
  return opened;
}

const nameAll = async (spool: TestSpool): Promise<number[]> => (await spool.readAll()).map(({ id }) => id.sequence);

test("goes on in a folder made anew, and counts what was in the one that was removed", async () => {
  const dir = makeDir();
  const first = await openAt(dir);
  for (let i = 0; i < 3; i++) first.put(i === 0 ? "result" : "telemetry", 100);
  await first.spool.flush();
  rmSync(dir, { recursive: true });
  first.put("telemetry", 100);
  await first.spool.flush();
  expect(first.codes).toContain("SPOOL_VANISHED");
  expect([...first.counts.dropped]).toEqual([["SPOOL_CORRUPT", 3]]);
  expect(await nameAll(first)).toEqual([4]);
  expect([first.spool.batches, first.spool.samples]).toEqual([1, 1]);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(readdirSync(dir).every((name) => (statSync(join(dir, name)).mode & 0o077) === 0 || name === "lock")).toBe(true);
  await expect(openTestSpool(dir)).rejects.toMatchObject({ code: "SPOOL_LOCKED" });
  await first.spool.close();
  const second = await openAt(dir);
  expect(await nameAll(second)).toEqual([4]);
  expect([...second.counts.dropped]).toEqual([["SPOOL_CORRUPT", 3]]);
});

test("notices it without a batch to put", async () => {
  const dir = makeDir();
  const opened = await openAt(dir);
  opened.put("telemetry", 100);
  await opened.spool.flush();
  rmSync(dir, { recursive: true });
  await expect.poll(() => opened.codes, { timeout: 10_000 }).toContain("SPOOL_VANISHED");
  await expect.poll(() => existsSync(join(dir, "note")), { timeout: 10_000 }).toBe(true);
});

test("takes what a backup has of it, and counts the rest", async () => {
  const dir = makeDir();
  const opened = await openAt(dir);
  opened.put("telemetry", 100);
  opened.put("telemetry", 100);
  await opened.spool.flush();
  cpSync(dir, `${dir}-backup`, { recursive: true, filter: (path) => !path.endsWith("lock") });
  opened.put("telemetry", 100);
  await opened.spool.flush();
  renameSync(dir, `${dir}-former`);
  renameSync(`${dir}-backup`, dir);
  opened.put("telemetry", 100);
  await opened.spool.flush();
  expect(await nameAll(opened)).toEqual([1, 2, 4]);
  expect([...opened.counts.dropped]).toEqual([["SPOOL_CORRUPT", 1]]);
});

test("leaves a folder that another agent holds alone, and keeps what is new in memory", async () => {
  const dir = makeDir();
  const first = await openAt(dir);
  first.put("telemetry", 100);
  await first.spool.flush();
  renameSync(dir, `${dir}-former`);
  const other = await openAt(dir);
  other.put("telemetry", 200);
  await other.spool.flush();
  const before = readdirSync(dir).sort();
  first.put("telemetry", 100);
  await first.spool.flush();
  expect(first.spool.listHeld()).toHaveLength(1);
  await first.spool.close();
  expect([...first.counts.dropped]).toEqual([["SPOOL_UNWRITABLE", 1]]);
  expect(readdirSync(dir).sort()).toEqual(before);
  expect(await nameAll(other)).toEqual([1]);
});

test("counts what ends in memory at the close in the next process too", async () => {
  const dir = makeDir();
  const first = await openAt(dir);
  // A folder under the name of the next file: it can't be made.
  mkdirSync(join(dir, `t-${String(startMs * 1000).padStart(16, "0")}-000000000001.batches`));
  first.put("telemetry", 100);
  await first.spool.flush();
  await first.spool.close();
  expect(first.counts.dropped.get("SPOOL_UNWRITABLE")).toBe(1);
  expect(first.codes.filter((code) => code === "SPOOL_UNWRITABLE")).toHaveLength(2);
  rmSync(join(dir, readdirSync(dir).find((name) => name.startsWith("t-")) ?? ""), { recursive: true });
  expect((await openAt(dir)).counts.dropped.get("SPOOL_UNWRITABLE")).toBe(1);
});

test("removes nothing that is not its own", async () => {
  const dir = makeDir();
  mkdirSync(join(dir, "quarantine"), { recursive: true });
  const ours = "t-0000000000000001-000000000001.batches.new";
  for (const name of ["report.new", "t-1.new", ours, "quarantine/notes"]) writeFileSync(join(dir, name), "x");
  await (await openAt(dir)).spool.close();
  expect(readdirSync(dir).sort()).toEqual(["note", "quarantine", "report.new", "t-1.new"]);
  expect(readdirSync(join(dir, "quarantine"))).toEqual(["notes"]);
});

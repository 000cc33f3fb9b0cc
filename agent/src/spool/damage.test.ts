import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeTestFolder, undoAfterEach } from "../../test/folder.js";
import { makeBytes, openTestSpool, type TestSpool } from "../../test/spool.js";

const { cleanups, makeDir } = undoAfterEach();

const count = 600;

/** Fills a spool so that it has several files. */
async function fill(dir: string): Promise<void> {
  const { spool, put } = await openTestSpool(dir);
  for (let i = 0; i < count; i++) {
    put(i % 10 === 0 ? "result" : "telemetry", 5000);
    if (i % 20 === 0) await spool.flush();
  }
  await spool.close();
}

function listFiles(dir: string, pattern = /\.batches$/): string[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => (pattern.test(name) ? [join(dir, name)] : []));
}

/** Reads all; what comes is what was written, and what is missing has been counted. */
async function checkAll({ spool, counts, readAll }: TestSpool): Promise<number> {
  const all = await readAll();
  for (const { id, bytes } of all) expect(Buffer.from(bytes).equals(Buffer.from(makeBytes(id, 5000)))).toBe(true);
  expect(spool).toMatchObject({ batches: all.length, bytes: all.length * 5000, samples: all.length });
  expect(counts.quarantined).toBe(count - all.length);
  expect(counts.dropped.get("SPOOL_CORRUPT") ?? 0).toBe(count - all.length);
  return all.length;
}

async function checkUsable(dir: string): Promise<number> {
  const opened = await openTestSpool(dir);
  cleanups.push(() => opened.spool.close());
  const found = await checkAll(opened);
  opened.put("telemetry", 10);
  await opened.spool.flush();
  expect(opened.spool.batches).toBe(found + 1);
  await opened.spool.close();
  // What was counted once is not counted again.
  const again = await openTestSpool(dir);
  cleanups.push(() => again.spool.close());
  expect(again.spool.batches).toBe(found + 1);
  expect(again.counts.quarantined).toBe(opened.counts.quarantined);
  await again.spool.close();
  return found;
}

function change(path: string, edit: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, edit(bytes) ?? bytes);
}

test("a file that ends in half a record loses that record", async () => {
  const dir = makeDir();
  await fill(dir);
  const last = listFiles(dir).at(-1) as string;
  truncateSync(last, statSync(last).size - 100);
  expect(await checkUsable(dir)).toBe(count - 1);
});

test("a file that the file system filled up with zeros loses what lay there, and nothing is made of the zeros", async () => {
  const dir = makeDir();
  await fill(dir);
  change(listFiles(dir).at(-1) as string, (bytes) => bytes.fill(0, bytes.length - 7000));
  expect(await checkUsable(dir)).toBe(count - 2);
  expect(readdirSync(join(dir, "quarantine")).length).toBe(1);
});

test("a flipped byte costs one batch, which is kept in the quarantine", async () => {
  const dir = makeDir();
  await fill(dir);
  change(listFiles(dir)[1], (bytes) => {
    bytes[100_000] ^= 1;
    return undefined;
  });
  expect(await checkUsable(dir)).toBe(count - 1);
  expect(readdirSync(join(dir, "quarantine")).length).toBe(1);
});

test.each([
  ["missing", (path: string) => rmSync(path)],
  ["empty", (path: string) => truncateSync(path, 0)],
  ["garbage", (path: string) => writeFileSync(path, "garbage".repeat(1000))],
])("a file that is %s costs what was in it, and that is known", async (_, damage) => {
  const dir = makeDir();
  await fill(dir);
  damage(listFiles(dir)[1]);
  const found = await checkUsable(dir);
  expect(found).toBeGreaterThan(count / 2);
  expect(found).toBeLessThan(count);
});

test("the ledger may be lost too: batches are kept, and each damaged part counts as one", async () => {
  const dir = makeDir();
  await fill(dir);
  for (const kind of ["missing", "garbage"]) {
    if (kind === "missing") rmSync(join(dir, "note"));
    else writeFileSync(join(dir, "note"), "garbage");
    const { spool, counts, readAll } = await openTestSpool(dir);
    expect((await readAll()).length).toBe(count);
    expect(counts.quarantined).toBe(0);
    await spool.close();
  }
  rmSync(join(dir, "note"));
  change(listFiles(dir)[0], (bytes) => {
    bytes[10] ^= 1;
    return undefined;
  });
  const { spool, counts, readAll } = await openTestSpool(dir);
  cleanups.push(() => spool.close());
  expect((await readAll()).length).toBe(count - 1);
  expect(counts.quarantined).toBe(1);
});

test("without its list of those that are gone, batches are sent again, and nothing counts as lost", async () => {
  const dir = makeDir();
  const first = await openTestSpool(dir);
  for (let i = 0; i < 10; i++) first.put("telemetry", 5000);
  await first.spool.flush();
  for (const entry of first.ready.slice(0, 5)) first.spool.release(entry, "committed");
  await first.spool.close();
  const [tombstones] = listFiles(dir, /\.gone$/);
  change(tombstones, (bytes) => bytes.subarray(0, bytes.length - 5));
  const second = await openTestSpool(dir);
  expect(second.spool.batches).toBe(6);
  await second.spool.close();
  rmSync(tombstones, { force: true });
  const third = await openTestSpool(dir);
  cleanups.push(() => third.spool.close());
  expect(third.spool.batches).toBe(10);
  expect(third.counts.quarantined).toBe(0);
});

test("bytes that rot while the agent runs cost their batches, not the agent", async () => {
  const dir = makeDir();
  await fill(dir);
  const opened = await openTestSpool(dir);
  cleanups.push(() => opened.spool.close());
  const [results, , telemetry] = listFiles(dir);
  for (const path of [results, telemetry])
    change(path, (bytes) => {
      for (let at = 3000; at < bytes.length; at += 50_000) bytes[at] ^= 0x10;
      return undefined;
    });
  await opened.readAll();
  const found = await checkAll(opened);
  expect(found).toBeGreaterThan(count / 2);
  expect(found).toBeLessThan(count);
  await opened.spool.close();
  expect((await openAgain(dir)).counts.quarantined).toBe(count - found);
});

test("an acknowledgement of what has rotted meanwhile takes nothing else with it", async () => {
  const dir = makeDir();
  const first = await openTestSpool(dir);
  for (let i = 0; i < 3; i++) first.put("telemetry", 5000);
  await first.spool.close();
  const second = await openTestSpool(dir);
  const [a, b, c] = await second.readAll();
  second.put("telemetry", 10);
  await second.spool.flush();
  // What is read of another file is read of this one anew.
  await second.readAll();
  change(listFiles(dir)[0], (bytes) => {
    bytes[100] ^= 1;
    bytes[6000] ^= 1;
    return undefined;
  });
  expect((await second.readAll()).map(({ id }) => id)).toContainEqual(c.id);
  expect(second.counts.quarantined).toBe(2);
  for (const entry of [a, b]) second.spool.release(entry, "committed");
  await second.spool.flush();
  await second.spool.close();
  const third = await openAgain(dir);
  expect((await third.readAll()).map(({ id }) => id)).toContainEqual(c.id);
});

async function openAgain(dir: string): Promise<TestSpool> {
  const opened = await openTestSpool(dir);
  cleanups.push(() => opened.spool.close());
  return opened;
}

const damageArbitrary = fc.record({
  file: fc.nat(),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom("flip", "cut", "zero", "remove"),
});

test("whatever is torn or flipped in whichever files, the agent starts, keeps what can be read and counts the rest", async () => {
  const source = makeDir();
  await fill(source);
  await fc.assert(
    fc.asyncProperty(fc.array(damageArbitrary, { minLength: 1, maxLength: 4 }), async (damages) => {
      const folder = makeTestFolder();
      const dir = join(folder.path, "spool");
      try {
        mkdirSync(dir);
        for (const path of listFiles(source, /\.batches$|\.gone$|^note$/)) copyFileSync(path, join(dir, basename(path)));
        const files = listFiles(dir, /\.batches$|\.gone$/);
        for (const { file, at, kind } of damages) {
          const path = files[file % files.length];
          if (kind === "remove" || !existsSync(path)) {
            rmSync(path, { force: true });
            continue;
          }
          change(path, (bytes) => {
            const index = Math.floor(at * Math.max(0, bytes.length - 1));
            if (kind === "flip" && bytes.length > 0) bytes[index] ^= 0xff;
            if (kind === "zero") bytes.fill(0, index, Math.min(bytes.length, index + 512));
            return kind === "cut" ? bytes.subarray(0, index) : undefined;
          });
        }
        await checkUsable(dir);
      } finally {
        folder.remove();
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

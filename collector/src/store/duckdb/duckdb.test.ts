import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { buildBatch, makeDirectory, makeResult, makeRun } from "../../../test/support.js";
import { readHosts } from "../hosts.js";
import type { Store } from "../store.js";
import { openStore, openStoreReadOnly } from "./duckdb.js";

const startUs = 1_700_000_000_000_000;
const cpu = (value: number, timeUs: number, tags = {}) => ({ measurement: "cpu", tags, timeUs, fields: { usage_user: value } });
const everything = {
  measurement: "cpu",
  field: "usage_user",
  tags: {},
  fromUs: 0,
  toUs: 2e15,
  bucketUs: 1,
  maxPoints: 1e6,
} as const;

async function openTestStore(directory = makeDirectory()): Promise<Store> {
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return store;
}

describe("writing", () => {
  it("changes nothing for an id that is stored, that comes twice in a group, or that comes again after a restart", async () => {
    const directory = makeDirectory();
    const batch = buildBatch(1, [cpu(1, startUs)]);
    const first = await openStore(directory);
    expect(await first.write([batch, batch], 1)).toEqual([batch]);
    expect(await first.write([batch], 2)).toEqual([]);
    await first.close();
    const second = await openTestStore(directory);
    expect(await second.write([batch], 3)).toEqual([]);
    const next = buildBatch(2, [cpu(2, startUs + 1)]);
    expect(await second.write([batch, next], 4)).toEqual([next]);
    const counts = (await second.history({ ...everything, aggregate: "last" })).map(({ points }) => points);
    expect(counts).toEqual([
      [
        [startUs, 1],
        [startUs + 1, 2],
      ],
    ]);
  });

  it("keeps every number and text exactly, whatever they are", async () => {
    const store = await openTestStore();
    let sequence = 0;
    const text = fc.string({ unit: "grapheme", maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(text, fc.double({ noNaN: true, noDefaultInfinity: true }), async (note, mean) => {
        const result = makeResult({ run: `run ${++sequence}`, disturbance: note, mean, metadata: { note } });
        await store.write([buildBatch(sequence, [resultRecord.toPoint(result)])], startUs);
        expect(await store.findByText(resultRecord, "run", result.run)).toEqual([result]);
      }),
      { numRuns: 30, examples: [["nul \u0000 inside", -0]] },
    );
  });

  it("leaves nothing of a group that the disk refuses, and takes it when there is room again", () => {
    const script = `
      import { execFileSync } from "node:child_process";
      import { openStore } from ${JSON.stringify(new URL("../../../dist/store/duckdb/duckdb.js", import.meta.url).href)};
      import { BatchBuilder } from "@fleetmark/shared/model/batch";
      process.on("SIGXFSZ", () => {});
      const limit = (bytes) => execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=" + bytes + ":unlimited"]);
      const store = await openStore(process.argv[1]);
      const build = (sequence) => {
        const builder = new BatchBuilder();
        for (let i = 0; i < 20000; i++) {
          builder.add({ measurement: "cpu", tags: { host: "h1" }, timeUs: ${startUs} + sequence * 20000 + i, fields: { usage_user: Math.random() } });
        }
        return builder.build({ host: "h1", epochUs: 1, sequence });
      };
      limit(1500000);
      let sequence = 1;
      let code;
      for (; sequence < 100 && code === undefined; sequence++) {
        try { await store.write([build(sequence)], 1); } catch (error) { code = error.code; }
      }
      const refused = sequence - 1;
      limit("unlimited");
      await store.write([build(refused)], 1);
      const points = (await store.history({ ...${JSON.stringify(everything)}, aggregate: "last" })).flatMap((series) => series.points).length;
      await store.close();
      console.log(JSON.stringify({ code, refused, points }));`;
    const cwd = new URL("..", import.meta.url);
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script, makeDirectory()], { cwd, encoding: "utf8" });
    expect(child.stderr).toBe("");
    const { code, refused, points } = JSON.parse(child.stdout);
    expect(code).toBe("STORE_FAILED");
    expect(refused).toBeGreaterThan(1);
    expect(points).toBe(refused * 20_000);
  });
});

describe("closing", () => {
  it("waits for what is being written, and refuses what is asked later", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory);
    const build = (sequence: number) =>
      buildBatch(
        sequence,
        Array.from({ length: 5000 }, (_, i) => cpu(1, startUs + i)),
      );
    // One is being written, one waits for it, and some come while the file is being closed.
    const early = [1, 2].map((sequence) => store.write([build(sequence)], 1));
    const closing = store.close();
    const late = Array.from({ length: 20 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, 2 * i));
      return store.write([build(3 + i)], 1).then(
        () => "written",
        (error) => error.code,
      );
    });
    await closing;
    expect((await Promise.all(early)).flat()).toHaveLength(2);
    expect(await Promise.all(late)).toEqual(Array(20).fill("STORE_FAILED"));
    const reader = await openStoreReadOnly(directory);
    const [{ points }] = await reader.history({
      ...everything,
      fromUs: 0,
      toUs: 2 * startUs,
      bucketUs: 2 * startUs,
      aggregate: "count",
    });
    expect(points.map(([, count]) => count)).toEqual([10_000]);
    await reader.close();
  });
});

describe("history", () => {
  it("aggregates each series by bucket, within the range and the tags", async () => {
    const store = await openTestStore();
    const values = [5, 1, 4, 2, 3];
    const points = values.map((value, i) => cpu(value, startUs + i * 1e6, { cpu: "cpu0" }));
    await store.write(
      [buildBatch(1, [...points, cpu(100, startUs, { cpu: "cpu1" })], "h1"), buildBatch(1, [cpu(200, startUs)], "h2")],
      1,
    );
    const ask = async (aggregate: Aggregate, bucketUs: number, toUs = startUs + 5e6) => {
      const tags = { cpu: "cpu0", host: "h1" };
      return (await store.history({ ...everything, tags, fromUs: startUs, toUs, bucketUs, aggregate })).flatMap(
        (series) => series.points,
      );
    };
    const whole = { mean: 3, min: 1, max: 5, last: 3, p50: 3, p95: 5, count: 5 };
    for (const [aggregate, value] of Object.entries(whole)) {
      const [[timeUs, found], ...rest] = await ask(aggregate as Aggregate, 100e6);
      expect([timeUs, rest]).toEqual([startUs - (startUs % 100e6), []]);
      expect(found).toBeCloseTo(value, 12);
    }
    expect(await ask("max", 2e6)).toEqual([
      [startUs, 5],
      [startUs + 2e6, 4],
      [startUs + 4e6, 3],
    ]);
    expect(await ask("min", 2e6, startUs + 1e6)).toEqual([[startUs, 5]]);
    expect((await store.history({ ...everything, aggregate: "max" })).length).toBe(3);
    await expect(store.history({ ...everything, aggregate: "max", maxPoints: 6 })).rejects.toMatchObject({
      code: "REQUEST_INVALID",
    });
    expect(
      (await store.history({ ...everything, aggregate: "max", maxPoints: 7 })).flatMap((series) => series.points),
    ).toHaveLength(7);
  });
});

describe("records", () => {
  it("answers the latest result of each benchmark, of whichever suite and hardware class", async () => {
    const store = await openTestStore();
    const older = makeResult({ time_us: startUs, suite: "full", hw_class: "c0", run: "run-0" });
    const newer = makeResult({ time_us: startUs + 1 });
    const other = makeResult({ time_us: startUs + 2, runtime: "tfjs-wasm" });
    await store.write([buildBatch(1, [older, other, newer].map(resultRecord.toPoint))], 1);
    const foreign = makeResult({ time_us: startUs, host: "h2", category: "jax", benchmark: "jit_compile" });
    await store.write([buildBatch(1, [resultRecord.toPoint(foreign)], "h2")], 1);
    expect(await store.readLatest(resultRecord, { host: "h1" })).toEqual([other, newer]);
    expect(await store.readLatest(resultRecord, { suite: "full" })).toEqual([older]);
    expect(await store.readLatest(resultRecord, { category: "jax", benchmark: "jit_compile" })).toEqual([foreign]);
    expect(await store.readLatest(resultRecord, { benchmark: "none" })).toEqual([]);
    expect(await store.findByText(resultRecord, "run", "run-0")).toEqual([older]);
  });

  it("answers runs, the newest first", async () => {
    const store = await openTestStore();
    const runs = [1, 2, 3].map((i) => makeRun({ run: `run-${i}`, time_us: startUs + i, started_us: startUs }));
    await store.write([buildBatch(1, runs.map(runRecord.toPoint))], 1);
    expect(await store.readNewest(runRecord, { tags: { host: "h1" }, limit: 2 })).toEqual([runs[2], runs[1]]);
    expect(await store.readNewest(runRecord, { tags: { host: "h2" }, limit: 2 })).toEqual([]);
  });

  it("answers hosts as their agents last introduced themselves, and when they were last stored", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory);
    const agent = (version: string, timeUs: number) => ({
      measurement: "agent",
      tags: {},
      timeUs,
      fields: { version, hardware_class: "c1", inventory: '{"cpu":"x"}' },
    });
    await store.write([buildBatch(1, [agent("2", startUs + 1), agent("1", startUs)])], startUs + 7);
    await store.close();
    const reader = await openStoreReadOnly(directory);
    onTestFinished(() => reader.close());
    const h1 = { host: "h1", version: "2", hw_class: "c1", inventory: { cpu: "x" }, last_seen_us: startUs + 7 };
    expect(await readHosts(reader)).toEqual([h1]);
    expect((await reader.listSeries("agent")).map(({ field }) => field).sort()).toEqual([
      "hardware_class",
      "inventory",
      "version",
    ]);
  });
});

describe("opening", () => {
  const refuse = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

  it("says that the directory cannot be written", async () => {
    const file = join(makeDirectory(), "file");
    writeFileSync(file, "");
    await expect(openStore(join(file, "data"))).rejects.toMatchObject(refuse("DATA_UNWRITABLE", /file\/data/));
    await expect(openStore("/proc")).rejects.toMatchObject(refuse("DATA_UNWRITABLE", /fleetmark\.duckdb/));
  });

  it("leaves a file of a newer version as it is", async () => {
    const directory = makeDirectory();
    await (await openStore(directory)).close();
    const path = join(directory, "fleetmark.duckdb");
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run("UPDATE meta SET schema_version = 99");
    connection.closeSync();
    instance.closeSync();
    const before = readFileSync(path);
    await expect(openStore(directory)).rejects.toMatchObject(refuse("DATA_NEWER", /version 99/));
    await expect(openStoreReadOnly(directory)).rejects.toMatchObject(refuse("DATA_NEWER", /version 99/));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.each([
    ["text", "hello ".repeat(5000)],
    ["nothing", ""],
  ])("calls a file of %s corrupt, and leaves it", async (_, content) => {
    const directory = makeDirectory();
    const path = join(directory, "fleetmark.duckdb");
    writeFileSync(path, content);
    await expect(openStore(directory)).rejects.toMatchObject(refuse("DATA_CORRUPT", /damaged or no data file/));
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  it("calls a damaged file corrupt wherever the damage lies, or reads it", async () => {
    const directory = makeDirectory();
    const store = await openStore(directory);
    const points = Array.from({ length: 5000 }, (_, i) => cpu(i, startUs + i));
    await store.write([buildBatch(1, points)], 1);
    await store.close();
    const sound = readFileSync(join(directory, "fleetmark.duckdb"));
    for (const at of [0, 5000, 9000, 12_500, sound.length - 100]) {
      const damaged = Buffer.from(sound);
      damaged.fill(0xa5, at, at + 64);
      const place = makeDirectory();
      writeFileSync(join(place, "fleetmark.duckdb"), damaged);
      const opened = await openStore(place).catch((thrown: unknown) => thrown as { code: string });
      if ("code" in opened) {
        expect(opened.code).toBe("DATA_CORRUPT");
        continue;
      }
      const read = await opened
        .history({ ...everything, aggregate: "max" })
        .catch((thrown: unknown) => thrown as { code: string });
      if ("code" in read) expect(read.code).toBe("STORE_FAILED");
      await opened.close();
    }
  });

  it("calls a database of something else corrupt", async () => {
    const directory = makeDirectory();
    const instance = await DuckDBInstance.create(join(directory, "fleetmark.duckdb"));
    instance.closeSync();
    await expect(openStore(directory)).rejects.toMatchObject(refuse("DATA_CORRUPT", /not one of Fleetmark's/));
  });

  it("names the process that holds the file, be it another or this one", async () => {
    const directory = makeDirectory();
    const script = `
      import { openStore } from ${JSON.stringify(new URL("../../../dist/store/duckdb/duckdb.js", import.meta.url).href)};
      await openStore(process.argv[1]);
      console.log("open");
      setInterval(() => {}, 1e6);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const held = refuse("DATA_LOCKED", new RegExp(`PID ${child.pid}\\)`));
    await expect(openStore(directory)).rejects.toMatchObject(held);
    await expect(openStoreReadOnly(directory)).rejects.toMatchObject(held);
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await openTestStore(directory);
    await expect(openStore(directory)).rejects.toMatchObject(refuse("DATA_LOCKED", new RegExp(`PID ${process.pid}\\)`)));
    expect(await readHosts(store)).toEqual([]);
  });

  it("makes nothing when it only reads", async () => {
    const directory = join(makeDirectory(), "data");
    await expect(openStoreReadOnly(directory)).rejects.toMatchObject({ code: "DATA_MISSING" });
    expect(existsSync(directory)).toBe(false);
    mkdirSync(directory);
    await expect(openStoreReadOnly(directory)).rejects.toMatchObject({ code: "DATA_MISSING" });
  });
});

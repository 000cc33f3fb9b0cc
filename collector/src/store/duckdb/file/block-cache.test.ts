import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { expect, it, onTestFinished } from "vitest";
import { makeDirectory } from "../../../../test/support.js";
import { createBlockCache, memoryLimit } from "./block-cache.js";

async function openLarge(): Promise<DuckDBConnection> {
  const path = join(makeDirectory(), "large.duckdb");
  const instance = await DuckDBInstance.create(path, { memory_limit: memoryLimit, threads: "2" });
  const connection = await instance.connect();
  onTestFinished(() => {
    connection.closeSync();
    instance.closeSync();
  });
  await connection.run("CREATE TABLE numbers AS SELECT range AS id, random() AS value FROM range(20000000)");
  await connection.run("CHECKPOINT");
  await connection.run("SELECT avg(value) FROM numbers");
  return connection;
}

async function readNumber(connection: DuckDBConnection, sql: string): Promise<number> {
  return Number((await connection.runAndReadAll(sql)).getRowsJS()[0][0]);
}

const used = "SELECT sum(memory_usage_bytes) // 1000000 FROM duckdb_memory()";

it("lets go of blocks that nobody asks for, and keeps room for what is asked", async () => {
  const connection = await openLarge();
  const cache = createBlockCache(0);
  expect(await readNumber(connection, used)).toBeGreaterThan(80);
  await cache.trim(connection);
  expect(await readNumber(connection, used)).toBeLessThanOrEqual(64);
  const limit = await connection.runAndReadAll("SELECT current_setting('memory_limit')");
  expect(limit.getRowsJS()[0][0]).toMatch(/^953\.6 MiB$/);
  expect(await readNumber(connection, "SELECT count(*) FROM numbers")).toBe(20_000_000);
}, 60_000);

it("does not while anybody asks, nor before it is time", async () => {
  const connection = await openLarge();
  const before = await readNumber(connection, used);
  const cache = createBlockCache(0);
  const leave = await cache.enter();
  await cache.trim(connection);
  expect(await readNumber(connection, used)).toBe(before);
  leave();
  await createBlockCache(60_000).trim(connection);
  expect(await readNumber(connection, used)).toBe(before);
  const trimmed = cache.trim(connection);
  const entered = cache.enter();
  await trimmed;
  (await entered)();
  expect(await readNumber(connection, used)).toBeLessThan(before);
}, 60_000);

import type { Batch } from "@fleetmark/shared/model/batch";
import type { Point } from "@fleetmark/shared/model/series";
import { Point as ClientPoint, InfluxDB, type WriteApi } from "@influxdata/influxdb-client";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import { formatLines } from "#collector/store/influx/lines/line-protocol.js";
import type { Store } from "#collector/store/store.js";
import { buildBatches, createChance, makeTelemetry, nameHost, stepUs } from "./fleet-data.js";

/**
 * Writes the same telemetry in one of several ways and prints what it took this process, as JSON: `node store-writes.js
 * WAY URL DATABASE POINTS`, for duckdb with a directory instead of the URL. Points are made beforehand; what is
 * measured is their way from memory to the answer.
 */

const hosts = 50;
const blockPoints = 5000;

function makePoints(count: number): Point[] {
  const chance = createChance(7);
  const startUs = Math.floor((Date.now() * 1000 - 2 * 86_400e6) / stepUs) * stepUs;
  const points: Point[] = [];
  for (let step = 0; points.length < count; step++) {
    for (let host = 0; host < hosts && points.length < count; host++) {
      points.push(...makeTelemetry(nameHost(host), startUs + step * stepUs, chance));
    }
  }
  return points;
}

function cutBlocks<T>(items: readonly T[]): T[][] {
  const blocks: T[][] = [];
  for (let at = 0; at < items.length; at += blockPoints) blocks.push(items.slice(at, at + blockPoints));
  return blocks;
}

/**
 * With a batch size that no block reaches, `flush` sends and waits; what the client sends by itself it waits for
 * nowhere.
 */
function openApi(url: string, database: string, batchSize: number): WriteApi {
  const api = new InfluxDB({ url, timeout: 60_000 }).getWriteApi("", database, "us", {
    maxRetries: 0,
    flushInterval: 0,
    batchSize,
    maxBatchBytes: Number.MAX_SAFE_INTEGER,
    gzipThreshold: Number.MAX_SAFE_INTEGER,
  });
  api.path = `/write?db=${encodeURIComponent(database)}&precision=u`;
  return api;
}

function toClientPoint({ measurement, tags, timeUs, fields }: Point): ClientPoint {
  const point = new ClientPoint(measurement).timestamp(timeUs);
  for (const [key, value] of Object.entries(tags)) point.tag(key, value);
  for (const [field, value] of Object.entries(fields)) point.floatField(field, value);
  return point;
}

/** Batches of a hundred points a host, fifty hosts in a group. */
function makeGroups(points: readonly Point[]): Batch[][] {
  return cutBlocks(points).map((block, i) => {
    const byHost = new Map<string, Point[]>();
    for (const point of block) byHost.set(point.tags.host, [...(byHost.get(point.tags.host) ?? []), point]);
    return buildBatches(byHost, 1000, i + 1);
  });
}

async function writeGroups(store: Store, groups: readonly Batch[][]): Promise<void> {
  for (const group of groups) await store.write(group, Date.now() * 1000);
}

/** Returns the work, with everything made that is not to be measured. */
async function prepare(way: string, target: string, database: string, points: readonly Point[]): Promise<() => Promise<void>> {
  switch (way) {
    case "points": {
      // As the client's own examples do: a Point object each, and the client's batches.
      const api = openApi(target, database, blockPoints + 1);
      return async () => {
        for (const block of cutBlocks(points)) {
          for (const point of block) api.writePoint(toClientPoint(point));
          await api.flush();
        }
        await api.close();
      };
    }
    case "records": {
      const api = openApi(target, database, blockPoints + 1);
      const blocks = cutBlocks(points).map((block) => formatLines(makeGroups(block).flat()));
      return async () => {
        for (const block of blocks) {
          api.writeRecords(block);
          await api.flush();
        }
        await api.close();
      };
    }
    case "block": {
      const api = openApi(target, database, 2);
      const blocks = cutBlocks(points).map((block) => formatLines(makeGroups(block).flat()));
      return async () => {
        for (const block of blocks) {
          api.writeRecord(block.join("\n"));
          await api.flush();
        }
        await api.close();
      };
    }
    case "store": {
      const server = { url: target, database, org: "", token: "", timeoutMs: 60_000 };
      const store = openInfluxStore(server, async (line, reason) => {
        throw new Error(`refused ${line}: ${reason}`);
      });
      const groups = makeGroups(points);
      return () => writeGroups(store, groups);
    }
    case "duckdb": {
      const store = await openStore(target);
      const groups = makeGroups(points);
      return async () => {
        await writeGroups(store, groups);
        await store.close();
      };
    }
    default:
      throw new Error(`there is no way ${way}`);
  }
}

const [, , way, target, database, count] = process.argv;
const points = makePoints(Number(count));
const work = await prepare(way, target, database, points);
const before = process.cpuUsage();
const started = performance.now();
await work();
const seconds = (performance.now() - started) / 1e3;
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ points: points.length, seconds, cpuSeconds: (user + system) / 1e6 })}\n`);
process.exit(0);

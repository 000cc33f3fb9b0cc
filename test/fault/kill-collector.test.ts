import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import type { Point } from "@fleetmark/shared/model/series";
import { pino } from "pino";
import { afterAll, describe, expect, it } from "vitest";
import { startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { startGrpcLink } from "#agent/links/grpc-link.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";

const kills = 10;
const folder = makeFolder();
afterAll(folder.remove);

type Collector = Program & { facts: { grpc: Address; http: Address } };

function startCollector(grpc: string): Promise<Collector> {
  const args = ["collector", "--data-dir", folder.path, "--grpc-listen", grpc, "--http-listen", "127.0.0.1:0"];
  return startDaemon(args, { environment: { FLEETMARK_LOG_LEVEL: "error" } });
}

/** A point of two samples that no other point equals. */
function makePoint(number: number, epochUs: number): Point {
  return {
    measurement: "oracle",
    tags: { lane: String(number % 5) },
    timeUs: epochUs + number,
    fields: { number, name: `point ${number}` },
  };
}

/** Every number in the file, as often as it is there. */
async function readStored(path: string): Promise<{ numbers: number[]; texts: string[] }> {
  const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  const read = async (table: string, field: string): Promise<unknown[]> => {
    const sql = `SELECT value FROM ${table} JOIN series ON series_id = id WHERE measurement = 'oracle' AND field = '${field}' ORDER BY time_us`;
    return (await connection.runAndReadAll(sql)).getRowsJS().map(([value]) => value);
  };
  const stored = { numbers: (await read("numbers", "number")) as number[], texts: (await read("texts", "name")) as string[] };
  connection.closeSync();
  instance.closeSync();
  return stored;
}

describe("a collector killed again and again", () => {
  it(`loses nothing that it acknowledged and stores nothing twice, over ${kills} kills`, async () => {
    let collector = await startCollector("127.0.0.1:0");
    const address = collector.facts.grpc;
    const logger = pino({ level: process.env.ORACLE_LOG ?? "silent" });
    const delivery = await startDelivery({
      host: "oracle",
      spool: { dir: join(folder.path, "spool"), maxBytes: 2 ** 28, maxAge: 1e6, resendRate: 2 ** 24 },
      flushInterval: 0.02,
      logger,
    });
    delivery.attach((window, counts) =>
      startGrpcLink({
        address,
        tls: {},
        clockOffset: createClockOffsetMeter(),
        introduction: { host: "oracle", agentVersion: "0", hardwareClass: "test", inventoryJson: "{}" },
        window,
        counts,
        logger,
      }),
    );

    const epochUs = Date.now() * 1000;
    let produced = 0;
    let producing = true;
    const acked = new Set<number>();
    const fates: Promise<unknown>[] = [];
    const produce = async (): Promise<void> => {
      while (producing) {
        delivery.record(Array.from({ length: 50 }, () => makePoint(produced++, epochUs)));
        const alone = produced++;
        fates.push(
          delivery.recordResult(makePoint(alone, epochUs)).then((fate) => {
            if (fate === "committed") acked.add(alone);
          }),
        );
        await delay(5);
      }
    };
    const production = produce();

    const ackedAtKill: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const before = acked.size;
      while (acked.size < before + 10) await delay(5);
      await delay(20 + Math.random() * 150);
      collector.process.kill("SIGKILL");
      await collector.ended;
      ackedAtKill.push(acked.size);
      collector = await startCollector(formatAddress(address));
    }
    producing = false;
    await production;
    const { unacked } = await delivery.stop(60);
    await Promise.all(fates);
    collector.process.kill("SIGTERM");
    await collector.ended;

    const { numbers, texts } = await readStored(join(folder.path, "fleetmark.duckdb"));
    const stored = new Set(numbers);
    const counts = {
      produced,
      acked: delivery.counts.acked / 2,
      stored: numbers.length,
      unacked,
      resent: delivery.counts.resent,
    };
    console.log(JSON.stringify({ ...counts, kills, acked_at_kill: ackedAtKill }));
    expect([...acked].filter((number) => !stored.has(number))).toEqual([]);
    expect(counts).toMatchObject({ unacked: 0, acked: produced, stored: produced });
    expect(stored.size).toBe(produced);
    expect(texts).toEqual(numbers.map((number) => `point ${number}`));
  }, 180_000);
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { startGrpcLink } from "#agent/links/grpc-link.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";
import { askInflux, type Server, startInflux } from "../testbed/servers.js";

const kills = 4;

describeWith("influxd")("a collector on InfluxDB, which is killed again and again", () => {
  const folder = makeFolder();
  let influx: Server;
  let collector: Program & { facts: { grpc: Address; http: Address } };

  beforeAll(async () => {
    influx = await startInflux();
    await askInflux(influx.url, "CREATE DATABASE fleetmark");
    const config = join(folder.path, "collector.yaml");
    writeFileSync(config, JSON.stringify({ data_dir: folder.path, store: { kind: "influxdb", url: influx.url } }));
    const args = ["collector", "--config", config, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    collector = await startDaemon(args, { environment: { FLEETMARK_LOG_LEVEL: "silent" } });
  });
  afterAll(async () => {
    collector?.process.kill("SIGTERM");
    await collector?.ended;
    await influx?.remove();
    folder.remove();
  });

  it("loses nothing that was acknowledged, says that it waits, and goes on", async () => {
    const logger = pino({ level: "silent" });
    const delivery = await startDelivery({
      host: "oracle",
      spool: { dir: join(folder.path, "spool"), maxBytes: 2 ** 28, maxAge: 1e6, resendRate: 2 ** 24 },
      flushInterval: 0.02,
      logger,
    });
    delivery.attach((window, counts) =>
      startGrpcLink({
        address: collector.facts.grpc,
        tls: {},
        clockOffset: createClockOffsetMeter(),
        introduction: { host: "oracle", agentVersion: "0", hardwareClass: "test", inventoryJson: "{}" },
        window,
        counts,
        logger,
      }),
    );
    const http = `http://${formatAddress(collector.facts.http)}`;
    const epochUs = Date.now() * 1000 - 1e9;
    let produced = 0;
    const acked = new Set<number>();
    const fates: Promise<unknown>[] = [];
    let producing = true;
    const produce = async (): Promise<void> => {
      while (producing) {
        const number = produced++;
        const point = { measurement: "oracle", tags: {}, timeUs: epochUs + number, fields: { number } };
        fates.push(delivery.recordResult(point).then((fate) => fate === "committed" && acked.add(number)));
        await delay(3);
      }
    };
    const production = produce();
    for (let kill = 0; kill < kills; kill++) {
      const before = acked.size;
      while (acked.size < before + 20) await delay(5);
      await influx.kill();
      await delay(100);
      while ((await fetch(`${http}/readyz`)).ok) await delay(20);
      await influx.restart();
      while (!(await fetch(`${http}/readyz`)).ok) await delay(20);
    }
    producing = false;
    await production;
    const { unacked } = await delivery.stop(60);
    await Promise.all(fates);
    const answer = (await askInflux(influx.url, "SELECT number FROM oracle")) as {
      results: { series: { values: [number, number][] }[] }[];
    };
    const stored = answer.results[0].series[0].values.map(([, number]) => number);
    console.log(JSON.stringify({ kills, produced, acked: acked.size, stored: stored.length, unacked }));
    expect([unacked, acked.size]).toEqual([0, produced]);
    expect(stored).toEqual(Array.from({ length: produced }, (_, i) => i));
  }, 120_000);
});

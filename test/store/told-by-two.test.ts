import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { attachAgent, buildBatch, makeResult } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";

type Collector = Program & { facts: { grpc: Address; http: Address } };

/** Two collectors that share an InfluxDB tell people of each alert once, and neither needs the other. */
describeInflux("two collectors of one store", () => {
  const folder = makeFolder();
  const told: string[] = [];
  const webhook = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      told.push((JSON.parse(body) as { title: string }).title);
      response.end();
    });
  });
  const collectors = new Map<string, Collector>();
  let bed: InfluxBed;
  let sequence = 0;

  beforeAll(async () => {
    bed = await openInfluxBed();
    const { url, database } = await bed.makeDatabase();
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
    const { port } = webhook.address() as AddressInfo;
    const environment = {
      FLEETMARK_ALERTS_SINKS: JSON.stringify([{ kind: "webhook", url: `http://127.0.0.1:${port}/`, severity: "critical" }]),
      FLEETMARK_ALERTS_EVERY: "1s",
      FLEETMARK_ALERTS_WAIT: "0s",
      FLEETMARK_ALERTS_UPDATE: "0s",
      FLEETMARK_ALERTS_IGNORE: "Disk*",
      FLEETMARK_KPIS: '[{"id":"policy_inference_time_ms","for":"0s"}]',
    };
    for (const name of ["c1", "c2"]) {
      const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
      const store = ["--store-kind", "influxdb", "--store-url", url, "--store-database", database];
      const args = ["collector", "--name", name, "--data-dir", `${folder.path}/${name}`, ...listen, ...store];
      collectors.set(name, await startDaemon(args, { environment }));
    }
  }, 60_000);
  afterAll(async () => {
    for (const { process, ended } of collectors.values()) {
      process.kill("SIGTERM");
      await ended;
    }
    webhook.closeAllConnections();
    webhook.close();
    await bed?.remove();
    folder.remove();
  });

  const measure = async (by: string, host: string, median: number): Promise<void> => {
    const { facts } = collectors.get(by) as Collector;
    const agent = await attachAgent(facts.grpc, { host });
    const time_us = Date.now() * 1000;
    const result = makeResult({ host, median, median_low: median, median_high: median, time_us });
    agent.sendBatch(encodeBatch(buildBatch(++sequence, [resultRecord.toPoint(result)], host, time_us)));
    await agent.nextAck();
  };
  const name = "Policy forward pass past its alert threshold";

  it("tell once between them, whichever has the host", async () => {
    await measure("c2", "h1", 5e-3);
    await vi.waitFor(() => expect(told).toEqual([`[FIRING] critical ${name} on h1`]), { timeout: 120_000, interval: 500 });
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    expect(told).toHaveLength(1);
  }, 200_000);

  it("tell all the same when the first of them was killed", async () => {
    const first = collectors.get("c1") as Collector;
    first.process.kill("SIGKILL");
    await first.ended;
    collectors.delete("c1");
    await measure("c2", "h2", 5e-3);
    await vi.waitFor(() => expect(told.slice(1)).toEqual([`[FIRING] critical ${name} on 2 hosts (2 alerts)`]), {
      timeout: 120_000,
      interval: 500,
    });
  }, 150_000);
});

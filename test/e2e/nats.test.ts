import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { afterEach, expect, it, vi } from "vitest";
import { startNats } from "../testbed/nats.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const patience = { timeout: 20_000, interval: 50 };

async function startCollector(config: object): Promise<Program & { facts: { grpc: Address; http: Address } }> {
  const folder = makeFolder();
  const file = join(folder.path, "collector.yaml");
  writeFileSync(file, JSON.stringify({ data_dir: folder.path, log: { level: "warn" }, ...config }));
  const args = ["collector", "--config", file, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  const program = await startDaemon<{ grpc: Address; http: Address }>(args);
  cleanups.push(async () => {
    program.process.kill("SIGTERM");
    await program.ended;
    folder.remove();
  });
  return program;
}

async function startAgent(host: string, url: string): Promise<Program> {
  const folder = makeFolder();
  const args = ["agent", "--link", "nats", "--nats-servers", url, "--host", host, "--telemetry-interval", "200ms"];
  const program = await startDaemon([...args], { cwd: folder.path, environment: { FLEETMARK_LOG_LEVEL: "info" } });
  cleanups.push(async () => {
    program.process.kill("SIGTERM");
    await program.ended;
    folder.remove();
  });
  return program;
}

async function ask<T>(http: Address, path: string): Promise<T> {
  return (await (await fetch(`http://${formatAddress(http)}${path}`)).json()) as T;
}

describeWith("nats-server")("agents and collectors with NATS between them", () => {
  it("carries what an agent measures to the embedded store, and says which hosts are there", async () => {
    const nats = await startNats();
    cleanups.push(nats.remove);
    const collector = await startCollector({ nats: { servers: [nats.url] } });
    await startAgent("gpu.1", nats.url);
    const { http } = collector.facts;
    await vi.waitFor(async () => {
      const hosts = await ask<{ host: string; attached: boolean; hw_class: string }[]>(http, "/api/v1/hosts");
      expect(hosts).toMatchObject([{ host: "gpu.1", attached: true, hw_class: expect.stringMatching(/./) }]);
      const { series: acked } = await ask<{ series: { points: [number, number][] }[] }>(
        http,
        "/api/v1/series?measurement=agent&field=samples_acked&aggregate=last",
      );
      expect(acked[0]?.points.at(-1)?.[1]).toBeGreaterThan(0);
    }, patience);
    const metrics = await (await fetch(`http://${formatAddress(http)}/metrics`)).text();
    expect(metrics).toMatch(/^fleetmark_nats_pending \d/m);
    expect(metrics).toMatch(/^fleetmark_agents_attached 1$/m);
  });
});

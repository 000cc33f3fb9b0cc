import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "@fleetmark/shared/config/config";
import { natsConsumer, natsStream } from "@fleetmark/shared/nats/subjects";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, it } from "vitest";
import { countSamples, readMetric } from "../testbed/answers.js";
import { openTestAgent, openTestCollector, type TestAgent } from "../testbed/fleet.js";
import { type NatsServer, startNats, startNatsCluster } from "../testbed/nats.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";
import { askInflux, startInflux } from "../testbed/servers.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Produces samples without pause until it is stopped, and remembers what became of each. */
function startOracle(agent: TestAgent) {
  const acked: number[] = [];
  const other: string[] = [];
  const fates: Promise<unknown>[] = [];
  const epochUs = Date.now() * 1000 - 600e6;
  let produced = 0;
  let producing = true;
  const produce = async (): Promise<void> => {
    while (producing) {
      const number = produced++;
      const point = { measurement: "oracle", tags: {}, timeUs: epochUs + number, fields: { number } };
      const note = (fate: string): void => void (fate === "committed" ? acked.push(number) : other.push(fate));
      fates.push(agent.delivery.recordResult(point).then(note));
      await delay(4);
    }
  };
  const production = produce();
  return {
    acked: () => acked.length,
    /** Waits until so many more are acknowledged. */
    waitForMore: async (count: number): Promise<void> => {
      const enough = acked.length + count;
      while (acked.length < enough) await delay(10);
    },
    /** Stops producing, and waits until the fate of all is known. */
    finish: async () => {
      producing = false;
      await production;
      await Promise.all(fates);
      return { produced, acked: acked.length, other };
    },
  };
}

async function openAgent(host: string, servers: readonly string[]): Promise<TestAgent> {
  const agent = await openTestAgent({ host, nats: { servers } });
  cleanups.push(agent.close);
  return agent;
}

async function openCollector(config: object) {
  const collector = await openTestCollector(config);
  cleanups.push(collector.stop);
  return collector;
}

describeWith("nats-server")("NATS that fails", () => {
  it("may be away at the start, and be killed again and again", async () => {
    const server = await startNats();
    cleanups.push(server.remove);
    await server.kill();
    const collector = await openCollector({ nats: { servers: [server.url] } });
    const agent = await openAgent("oracle", [server.url]);
    const oracle = startOracle(agent);
    while (!agent.codes().includes("NATS_UNREACHABLE") || !collector.codes().includes("NATS_UNREACHABLE")) await delay(20);
    for (let kill = 0; kill < 4; kill++) {
      await server.restart();
      await oracle.waitForMore(50);
      await server.kill();
    }
    await server.restart();
    const { produced, acked, other } = await oracle.finish();
    const stored = await countSamples(collector.http);
    console.log(JSON.stringify({ kills: 5, produced, acked, stored, resent: agent.delivery.counts.resent }));
    expect([acked, other, stored]).toEqual([produced, [], produced]);
  }, 120_000);

  it("loses its leader, then another one, of three with three copies", async () => {
    const servers = await startNatsCluster();
    cleanups.push(...servers.map(({ remove }) => remove));
    const urls = servers.map(({ url }) => url);
    const collector = await openCollector({ nats: { servers: urls, stream: { replicas: 3, max_bytes: "64MiB" } } });
    const agent = await openAgent("oracle", urls);
    const oracle = startOracle(agent);
    const findLeader = async (): Promise<NatsServer | undefined> => {
      const nc = await connect({ servers: urls });
      try {
        const { cluster } = await (await jetstreamManager(nc)).streams.info(natsStream);
        return servers.find((_, i) => `n${i + 1}` === cluster?.leader);
      } catch {
        return undefined;
      } finally {
        await nc.close();
      }
    };
    await oracle.waitForMore(50);
    for (let kill = 0; kill < 2; kill++) {
      let leader = await findLeader();
      while (leader === undefined) leader = await findLeader();
      await leader.kill();
      await oracle.waitForMore(50);
      await leader.restart();
      await oracle.waitForMore(50);
    }
    const { produced, acked, other } = await oracle.finish();
    const stored = await countSamples(collector.http);
    console.log(JSON.stringify({ leaders_lost: 2, produced, acked, stored, resent: agent.delivery.counts.resent }));
    expect([acked, other, stored]).toEqual([produced, [], produced]);
  }, 180_000);
});

/**
 * Resolves when the server was told so many times of one message that it is still worked on. A collector says so three
 * times within the time after which the server would give it out again.
 */
async function waitForExtensions(nc: NatsConnection, times: number): Promise<void> {
  const told = new Map<string, number>();
  for await (const message of nc.subscribe(`$JS.ACK.${natsStream}.${natsConsumer}.>`)) {
    if (message.string() !== "+WPI") continue;
    const count = (told.get(message.subject) ?? 0) + 1;
    if (count >= times) return;
    told.set(message.subject, count);
  }
}

describeWith("nats-server", "influxd")("collectors that share a stream and InfluxDB", () => {
  async function startStore(): Promise<{ kind: string; url: string; kill(): Promise<void>; restart(): Promise<void> }> {
    const influx = await startInflux();
    cleanups.push(influx.remove);
    await askInflux(influx.url, "CREATE DATABASE fleetmark");
    return { kind: "influxdb", url: influx.url, kill: influx.kill, restart: influx.restart };
  }

  async function startCollector(servers: readonly string[], url: string): Promise<Program & { facts: { http: Address } }> {
    const folder = makeFolder();
    const config = join(folder.path, "collector.yaml");
    writeFileSync(config, JSON.stringify({ data_dir: folder.path, store: { kind: "influxdb", url }, nats: { servers } }));
    const args = ["collector", "--config", config, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    const program = await startDaemon<{ http: Address }>(args, { environment: { FLEETMARK_LOG_LEVEL: "silent" } });
    cleanups.push(async () => {
      program.process.kill("SIGKILL");
      await program.ended;
      folder.remove();
    });
    return program;
  }

  it("both take a share, and one's death costs nothing", async () => {
    const [server, influx] = [await startNats(), await startStore()];
    cleanups.push(server.remove);
    let collectors = await Promise.all([startCollector([server.url], influx.url), startCollector([server.url], influx.url)]);
    const agent = await openAgent("oracle", [server.url]);
    const oracle = startOracle(agent);
    for (let kill = 0; kill < 2; kill++) {
      const shares = async () =>
        Promise.all(collectors.map(({ facts }) => readMetric(facts.http, "fleetmark_batches_committed_total")));
      // The first of them is the agent's introduction, which each stores.
      while ((await shares()).some((share) => share < 5)) await delay(50);
      const [victim, survivor] = collectors;
      victim.process.kill("SIGKILL");
      await victim.ended;
      await oracle.waitForMore(50);
      collectors = [survivor, await startCollector([server.url], influx.url)];
    }
    const { produced, acked, other } = await oracle.finish();
    const stored = await countSamples(collectors[0].facts.http);
    console.log(JSON.stringify({ collectors_killed: 2, produced, acked, stored, resent: agent.delivery.counts.resent }));
    expect([acked, other, stored]).toEqual([produced, [], produced]);
  }, 120_000);

  it("keep what they have in hand while the store is away for longer than the server waits", async () => {
    const [server, influx] = [await startNats(), await startStore()];
    cleanups.push(server.remove);
    const nc = await connect({ servers: server.url });
    const manager = await jetstreamManager(nc);
    await manager.streams.add({ name: natsStream, subjects: ["fleetmark.v1.batch.*"], retention: "workqueue", discard: "new" });
    await manager.consumers.add(natsStream, { durable_name: natsConsumer, ack_policy: "explicit", ack_wait: 2e9 });
    cleanups.push(() => nc.close());
    const collector = await openCollector({ nats: { servers: [server.url] }, store: { kind: "influxdb", url: influx.url } });
    const agent = await openAgent("oracle", [server.url]);
    const oracle = startOracle(agent);
    await oracle.waitForMore(20);
    await influx.kill();
    await waitForExtensions(nc, 6);
    await influx.restart();
    await oracle.waitForMore(20);
    const { produced, acked, other } = await oracle.finish();
    expect([acked, other, await countSamples(collector.http)]).toEqual([produced, [], produced]);
    // Had the server given them out again, it would be counted here.
    expect(await readMetric(collector.http, "fleetmark_nats_redelivered_total")).toBe(0);
  }, 120_000);
});

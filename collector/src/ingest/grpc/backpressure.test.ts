import { setTimeout as delay } from "node:timers/promises";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Address } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { pino } from "pino";
import { expect, it, onTestFinished, vi } from "vitest";
import { attachAgent, buildBatch, makeDirectory, type TestAgent } from "../../../test/support.js";
import { collectorConfigSchema } from "../../config.js";
import { createFleet } from "../../fleet/fleet.js";
import { createPresence } from "../../fleet/presence.js";
import { openStore } from "../../store/duckdb/duckdb.js";
import type { Store } from "../../store/store.js";
import { createMetrics } from "../../telemetry/metrics.js";
import { createIntake } from "../intake.js";
import { openQuarantine } from "../quarantine/quarantine.js";
import { createSeriesGuard } from "../series-guard.js";
import { createWriter } from "../writer.js";
import { startGrpcIngest } from "./server.js";

/**
 * A store that takes no write until it is told to: it leaves them unanswered, or fails. What it has taken, it counts.
 */
interface SlowStore {
  readonly store: Store;
  mood: "hang" | "fail" | "take";
  batches: number;
  /** Answers what hangs. */
  release(): void;
}

function createSlowStore(store: Store): SlowStore {
  let answer = (): void => {};
  const slow: SlowStore = {
    mood: "hang",
    batches: 0,
    release: () => answer(),
    store: {
      ...store,
      write: async (batches) => {
        if (slow.mood === "fail") throw new FleetmarkError("STORE_FAILED", "no space left");
        if (slow.mood === "hang") await new Promise<void>((resolve) => (answer = resolve));
        slow.batches += batches.length;
        return [...batches];
      },
    },
  };
  return slow;
}

interface Served {
  readonly slow: SlowStore;
  readonly address: Address;
  readonly failure: () => string | undefined;
  readMetric(name: "queueBytes" | "storeFailures" | "batchesReceived"): Promise<number>;
}

/** The ingest of a collector, over real gRPC, before a slow store. */
async function serve(): Promise<Served> {
  const { limits, grpc } = collectorConfigSchema.parse({ grpc: { listen: "127.0.0.1:0" } });
  const logger = pino({ level: "silent" });
  const metrics = createMetrics();
  const fleet = createFleet(limits.max_hosts);
  const slow = createSlowStore(await openStore(makeDirectory()));
  const writer = createWriter(slow.store, metrics, logger);
  const quarantine = await openQuarantine(makeDirectory(), 2 ** 20);
  const shared = { limits, fleet, metrics, logger };
  const guard = createSeriesGuard({ newPerHour: 1e6, perHost: 1e6 }, async () => []);
  const judgeClock = () => ({ verdict: "agreed", offsetUs: 0, hosts: 0, agreeing: 0 }) as const;
  const nextOwnId = () => ({ epochUs: 1, sequence: 1 });
  const nameKeeper = { take: () => undefined, isHolder: () => false, isFree: () => true, isFormer: () => false };
  const intake = createIntake({ ...shared, nameKeeper, writer, quarantine, guard, judgeClock, nextOwnId });
  const presence = createPresence({ fleet, metrics, logger, maxBatchBytes: limits.max_batch_bytes });
  const parts = { limits, metrics, logger, intake, presence, receiveResult: () => {} };
  const server = await startGrpcIngest({ config: grpc, findFailure: writer.failure, ...parts });
  onTestFinished(async () => {
    slow.release();
    await writer.stop(0);
    await server.stop();
    await slow.store.close();
  });
  const readMetric: Served["readMetric"] = async (name) => (await metrics[name].get()).values[0].value;
  return { slow, address: server.address, failure: writer.failure, readMetric };
}

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 25_000, interval: 20 });

/** Sends batches for as long as the stream takes them. */
interface Pusher {
  readonly agent: TestAgent;
  sent: number;
  bytes: number;
  stop(): void;
}

function push(agent: TestAgent, makeBatch: (sequence: number) => Uint8Array): Pusher {
  let stopped = false;
  const pusher: Pusher = { agent, sent: 0, bytes: 0, stop: () => (stopped = true) };
  const pushOn = async (): Promise<void> => {
    while (!stopped) {
      const bytes = makeBatch(++pusher.sent);
      pusher.bytes += bytes.length;
      if (!agent.sendBatch(bytes)) await new Promise((resolve) => agent.call.once("drain", resolve));
      else await delay(0);
    }
  };
  void pushOn();
  return pusher;
}

/** Resolves when nothing more goes into the streams: what was sent has not changed over many looks. */
async function waitUntilStuck(pushers: readonly Pusher[]): Promise<void> {
  let [before, looks] = [-1, 0];
  while (looks < 20) {
    const sent = pushers.reduce((sum, pusher) => sum + pusher.sent, 0);
    looks = sent === before ? looks + 1 : 0;
    before = sent;
    await delay(25);
  }
}

it("takes in so much and no more while the store hangs or fails, then stores and acknowledges all of it", async () => {
  const { slow, address, failure, readMetric } = await serve();
  const text = "x".repeat(50_000);
  const startUs = Date.now() * 1000;
  const makeBatch = (host: string) => (sequence: number) => {
    const points = [0, 1, 2, 3].map((i) => ({
      measurement: "m",
      tags: {},
      timeUs: startUs + 4 * sequence + i,
      fields: { text },
    }));
    return encodeBatch(buildBatch(sequence, points, host));
  };
  const hosts = ["a", "b", "c", "d"];
  const agents = await Promise.all(hosts.map((host) => attachAgent(address, { host })));
  const acknowledged = hosts.map(() => 0);
  agents.forEach(async (agent, i) => {
    const next = () => agent.nextAck().catch(() => undefined);
    for (let ack = await next(); ack !== undefined; ack = await next()) acknowledged[i] += ack.committed.length;
  });
  const pushers = agents.map((agent, i) => push(agent, makeBatch(hosts[i])));
  await eventually(async () => expect(await readMetric("queueBytes")).toBeGreaterThan(16 * 2 ** 20));
  await waitUntilStuck(pushers);
  // Over the bound by one batch of 200 KB, however many agents there are.
  expect(await readMetric("queueBytes")).toBeLessThan(16 * 2 ** 20 + 250_000);
  slow.mood = "fail";
  slow.release();
  await eventually(async () => expect(await readMetric("storeFailures")).toBeGreaterThan(1));
  await waitUntilStuck(pushers);
  expect(await readMetric("queueBytes")).toBeLessThan(16 * 2 ** 20 + 250_000);
  expect(acknowledged).toEqual([0, 0, 0, 0]);
  expect(failure()).toBe("no space left");

  for (const pusher of pushers) pusher.stop();
  slow.mood = "take";
  slow.release();
  await eventually(() => expect(acknowledged).toEqual(pushers.map(({ sent }) => sent)));
  expect(await readMetric("queueBytes")).toBe(0);
  expect(failure()).toBeUndefined();
}, 60_000);

it("stops reading from an agent that does not read what it is answered, and from no other", async () => {
  const { slow, address, readMetric } = await serve();
  slow.mood = "take";
  const deaf = await attachAgent(address, { host: "deaf" });
  deaf.call.pause();
  const makeBatch = (host: string) => (sequence: number) => {
    const timeUs = Date.now() * 1000;
    return encodeBatch(buildBatch(sequence, [{ measurement: "m", tags: {}, timeUs, fields: { n: 1 } }], host));
  };
  // Each is rejected, with a message that holds the long name: some 350 bytes for each batch of as many.
  const pusher = push(deaf, makeBatch("x".repeat(255)));
  await waitUntilStuck([pusher]);
  // HTTP/2 holds 64 KB each way, Node and gRPC some frames more.
  expect(await readMetric("batchesReceived")).toBeLessThan(1500);
  const other = await attachAgent(address, { host: "other" });
  other.sendBatch(makeBatch("other")(1));
  expect((await other.nextAck()).committed).toHaveLength(1);

  pusher.stop();
  deaf.call.resume();
  let answered = 0;
  while (answered < pusher.sent) answered += (await deaf.nextAck()).rejected.length;
  expect(answered).toBe(pusher.sent);
}, 60_000);

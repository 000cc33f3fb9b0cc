import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Point } from "@fleetmark/shared/model/series";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { behave, encodeId, sendAck, sendWelcome, startTestCollector, type TestCollector } from "../../test/collector.js";
import { undoAfterEach } from "../../test/folder.js";
import { createClockOffsetMeter } from "../links/clock-offset.js";
import { startGrpcLink } from "../links/grpc-link.js";
import type { ClockReading } from "../time/clock.js";
import { type Delivery, startDelivery } from "./delivery.js";

const logger = pino({ level: "silent" });
const introduction = { host: "h", agentVersion: "0.0.1", hardwareClass: "c", inventoryJson: "{}" };

const { cleanups, makeDir } = undoAfterEach();

async function open(dir: string, readClocks?: () => ClockReading, resendRate = 1e9): Promise<Delivery> {
  const spool = { dir, maxBytes: 1e8, maxAge: 1e9, resendRate };
  const delivery = await startDelivery({ host: "h", spool, flushInterval: 0.01, logger, readClocks });
  cleanups.push(() => delivery.stop(0));
  return delivery;
}

function attach(delivery: Delivery, { port }: TestCollector): void {
  const address = { host: "127.0.0.1", port };
  const options = { address, tls: {}, introduction, clockOffset: createClockOffsetMeter(), logger };
  delivery.attach((window, counts) => startGrpcLink({ ...options, window, counts }));
}

async function startCollector(onFrame = behave): Promise<TestCollector> {
  const collector = await startTestCollector(onFrame);
  cleanups.push(() => collector.kill());
  return collector;
}

const makePoint = (value: number, timeUs = 1_000_000 + value): Point => ({
  measurement: "m",
  tags: {},
  timeUs,
  fields: { value },
});
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });
const values = (collector: TestCollector): number[] => collector.readBatches().flatMap(({ numbers }) => numbers.values);

test("what no collector took is sent by the next process, earlier processes first, and then gone for good", async () => {
  const dir = makeDir();
  for (const value of [1, 2]) {
    const delivery = await open(dir);
    void delivery.recordResult(makePoint(value));
    delivery.record([makePoint(10 * value)]);
    expect(await delivery.stop(0)).toEqual({ unacked: 2 * value });
  }
  const collector = await startCollector();
  const third = await open(dir);
  attach(third, collector);
  expect(await third.recordResult(makePoint(3))).toBe("committed");
  await eventually(() => expect(third.spool.batches).toBe(0));
  expect(values(collector).filter((value) => value < 3 || value > 9)).toEqual([1, 2, 10, 20]);
  expect(third.counts).toMatchObject({ acked: 5, sent: 1, resent: 4, violations: 0 });
  const ids = collector.readBatches().map(({ id }) => `${id.epochUs}/${id.sequence}`);
  expect(new Set(ids).size).toBe(5);
  await third.stop(1);
  const fourth = await open(dir);
  expect(fourth.spool.batches).toBe(0);
});

test("an agent that stops while its collector is silent keeps what it sent, and sends the same batch again", async () => {
  const dir = makeDir();
  const silent = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
  });
  const first = await open(dir);
  attach(first, silent);
  const fate = first.recordResult(makePoint(1));
  await eventually(() => expect(values(silent)).toEqual([1]));
  expect(await first.stop(0)).toEqual({ unacked: 1 });
  expect(await fate).toBe("COLLECTOR_UNREACHABLE");
  const collector = await startCollector();
  const second = await open(dir);
  attach(second, collector);
  await eventually(() => expect(second.spool.batches).toBe(0));
  expect(collector.readBatches().map(({ id }) => id)).toEqual(silent.readBatches().map(({ id }) => id));
});

test("stopping twice is stopping once, and nothing is taken any more", async () => {
  const dir = makeDir();
  const delivery = await open(dir);
  const fate = delivery.recordResult(makePoint(1));
  expect(await Promise.all([delivery.stop(0), delivery.stop(10)])).toEqual([{ unacked: 1 }, { unacked: 1 }]);
  expect(await Promise.all([fate, delivery.recordResult(makePoint(2))])).toEqual(Array(2).fill("COLLECTOR_UNREACHABLE"));
  delivery.record([makePoint(3)]);
  expect((await open(dir)).spool.samples).toBe(1);
});

test("a backlog does not hold up what is new, and is sent in order", async () => {
  const dir = makeDir();
  const first = await open(dir);
  for (let value = 0; value < 300; value++) void first.recordResult(makePoint(value));
  await first.stop(0);
  const collector = await startCollector();
  // A batch is of some 70 bytes: 300 of them take two seconds at this rate.
  const second = await open(dir, undefined, 10_000);
  attach(second, collector);
  await eventually(() => expect(values(collector).length).toBeGreaterThan(0));
  expect(await second.recordResult(makePoint(1000))).toBe("committed");
  const before = values(collector).indexOf(1000);
  expect(before).toBeLessThan(300);
  await eventually(() => expect(second.spool.batches).toBe(0));
  expect(values(collector).filter((value) => value < 1000)).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

test("a collector that takes one batch a time gets all of them, though memory holds few", async () => {
  const dir = makeDir();
  const waiting: (() => void)[] = [];
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case === "batch") waiting.push(() => sendAck(call, decodeBatch(frame.value)));
  });
  const delivery = await open(dir);
  attach(delivery, collector);
  for (let value = 0; value < 1500; value++) {
    void delivery.recordResult(makePoint(value));
    if (value % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await eventually(() => {
    for (const ack of waiting.splice(0, 5)) ack();
    expect(delivery.spool.batches).toBe(0);
  });
  expect(values(collector).sort((a, b) => a - b)).toEqual(Array.from({ length: 1500 }, (_, i) => i));
});

test("no time is stamped twice though the clock goes back, within a process and across a restart", async () => {
  const dir = makeDir();
  const start = 1_700_000_000_000_000;
  const host = { wallUs: start, steadyUs: 0 };
  const pass = (us: number): void => {
    host.wallUs += us;
    host.steadyUs += us;
  };
  const stamped: number[] = [];
  const tick = (delivery: Delivery): void => {
    pass(10e6);
    const timeUs = delivery.clock.stamp();
    stamped.push(timeUs);
    delivery.record([makePoint(stamped.length, timeUs)]);
  };
  for (const stepUs of [0, -3600e6, 3600e6, -1800e6]) {
    const delivery = await open(dir, () => ({ ...host }));
    for (let i = 0; i < 5; i++) tick(delivery);
    host.wallUs += stepUs;
    for (let i = 0; i < 5; i++) tick(delivery);
    // A process that begins behind what was stamped counts that as a step too.
    expect(delivery.clock.steps).toBeGreaterThanOrEqual(stepUs === 0 ? 0 : 1);
    await delivery.stop(0);
    // The next process begins with a clock that was set back.
    host.wallUs -= 60e6;
  }
  expect(stamped).toEqual([...new Set(stamped)].sort((a, b) => a - b));
  expect(stamped.length).toBe(40);
});

test("a batch whose name the collector knows with another content is sent under another, and so is all after it", async () => {
  const rejected = new Set<number>();
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case !== "batch") return;
    const batch = decodeBatch(frame.value);
    const { epochUs } = batch.id;
    if (rejected.size === 0) rejected.add(epochUs);
    const rejection = { id: encodeId(batch), code: "BATCH_ID_REUSED", message: "known" };
    sendAck(call, batch, rejected.has(epochUs) ? { committed: [], rejected: [rejection] } : {});
  });
  const delivery = await open(makeDir());
  attach(delivery, collector);
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  expect(await delivery.recordResult(makePoint(2))).toBe("committed");
  const sent = collector.readBatches();
  expect(sent.map(({ id, numbers }) => [id.epochUs === sent[0].id.epochUs, numbers.values[0]])).toEqual([
    [true, 1],
    [false, 1],
    [false, 2],
  ]);
  expect([...delivery.counts.dropped]).toEqual([]);
  await eventually(() => expect(delivery.spool.batches).toBe(0));
});

test("who the agent is outlives its spool's folder, as long as the agent itself does", async () => {
  const dir = join(makeDir(), "spool");
  const options = { host: "h", hasIdentity: true, spool: { dir, maxBytes: 1e8, maxAge: 1e9, resendRate: 1e9 }, logger };
  const first = await startDelivery({ ...options, flushInterval: 0.01 });
  cleanups.push(() => first.stop(0));
  rmSync(dir, { recursive: true });
  first.record([makePoint(1)]);
  await eventually(() => expect(existsSync(join(dir, "identity.json"))).toBe(true));
  await first.stop(0);
  const second = await startDelivery({ ...options, flushInterval: 0.01 });
  cleanups.push(() => second.stop(0));
  expect(second.identity.id).toBe(first.identity.id);
});

import { connect, createServer, type Server, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { ClockReplySchema, CommandSchema, WelcomeSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Point } from "@fleetmark/shared/model/series";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import { protocolVersion } from "@fleetmark/shared/wire/frames";
import { status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import {
  behave,
  encodeId,
  sendAck,
  sendFrame,
  sendWelcome,
  startTestCollector,
  type TestCall,
  type TestCollector,
} from "../../test/collector.js";
import { makeTestFolder } from "../../test/folder.js";
import { type Delivery, startDelivery } from "../delivery/delivery.js";
import { type ClockOffset, type ClockOffsetMeter, createClockOffsetMeter } from "./clock-offset.js";
import { startGrpcLink } from "./grpc-link.js";
import type { SessionTiming } from "./grpc-session.js";
import type { LinkOptions } from "./link-options.js";

const patient: SessionTiming = { welcome: 20, silence: 20, clock: 20, ping: 20 };
const introduction = { host: "h", agentVersion: "0.0.1", hardwareClass: "c", inventoryJson: '{"cpu":{}}' };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function startCollector(onFrame?: Parameters<typeof startTestCollector>[0], port?: number): Promise<TestCollector> {
  const collector = await startTestCollector(onFrame, port);
  cleanups.push(() => collector.kill());
  return collector;
}

interface Agent {
  readonly delivery: Delivery;
  readonly clockOffset: ClockOffsetMeter;
  /** Codes of the link's log, in order, repeats included. */
  readonly codes: string[];
}

async function attach(port: number, timing = patient, onCommand?: LinkOptions["onCommand"]): Promise<Agent> {
  const codes: string[] = [];
  const logger = pino(
    { level: "trace" },
    { write: (line: string) => codes.push(JSON.parse(line).code ?? JSON.parse(line).event) },
  );
  const folder = makeTestFolder();
  cleanups.push(folder.remove);
  const spool = { dir: folder.path, maxBytes: 1e8, maxAge: 1e6, resendRate: 1e9 };
  const delivery = await startDelivery({ host: "h", spool, flushInterval: 0.01, logger });
  const clockOffset = createClockOffsetMeter();
  delivery.attach((window, counts) => {
    const address = { host: "127.0.0.1", port };
    return startGrpcLink({ address, tls: {}, introduction, window, counts, clockOffset, logger, timing, onCommand });
  });
  cleanups.push(() => delivery.stop(0));
  return { delivery, clockOffset, codes };
}

const makePoint = (value: number): Point => ({ measurement: "m", tags: {}, timeUs: 1_000_000 + value, fields: { value } });

/** Waits for what the network brings, however long this machine takes. */
function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 5 });
}

const values = (collector: TestCollector): number[] => collector.readBatches().flatMap(({ numbers }) => numbers.values);

test("introduces itself, sends batches in order and forgets what is committed", async () => {
  const collector = await startCollector();
  const { delivery } = await attach(collector.port);
  delivery.record([makePoint(1), makePoint(2)]);
  expect(await delivery.recordResult(makePoint(3))).toBe("committed");
  await eventually(() => expect(delivery.counts.acked).toBe(3));
  expect(collector.frames[0]).toMatchObject({ case: "hello", value: { protocolVersion, ...introduction } });
  expect(values(collector).sort()).toEqual([1, 2, 3]);
  expect(delivery.spool.bytes).toBe(0);
  expect(await delivery.stop(1)).toEqual({ unacked: 0 });
});

test("keeps at it while no collector is there, and delivers everything once one comes", async () => {
  const absent = await startCollector();
  await absent.kill();
  const { delivery, codes } = await attach(absent.port);
  const fates = [1, 2, 3].map((value) => delivery.recordResult(makePoint(value)));
  await eventually(() => expect(codes.filter((code) => code === "COLLECTOR_UNREACHABLE").length).toBeGreaterThan(1));
  const collector = await startCollector(behave, absent.port);
  expect(await Promise.all(fates)).toEqual(["committed", "committed", "committed"]);
  expect(values(collector)).toEqual([1, 2, 3]);
});

test("resends all that was not acknowledged when a collector dies and comes back", async () => {
  // The first takes everything and commits only its first batch.
  let acked = 0;
  const first = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case === "batch" && acked++ === 0) sendAck(call, decodeBatch(frame.value));
  });
  const { delivery } = await attach(first.port);
  const fates = [1, 2, 3, 4].map((value) => delivery.recordResult(makePoint(value)));
  await eventually(() => expect(values(first)).toEqual([1, 2, 3, 4]));
  await fates[0];
  await first.kill();
  const second = await startCollector(behave, first.port);
  expect(await Promise.all(fates)).toEqual(Array(4).fill("committed"));
  expect(values(second)).toEqual([2, 3, 4]);
  expect(delivery.counts).toMatchObject({ sent: 4, resent: 3, acked: 4, reconnects: 1 });
  const ids = [first, second].map((collector) => collector.readBatches().map(({ id }) => id));
  expect(ids[1]).toEqual(ids[0].slice(1));
});

test("drops what is rejected and counts what is refused, by code", async () => {
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case !== "batch") return;
    const batch = decodeBatch(frame.value);
    const id = encodeId(batch);
    if (batch.id.sequence === 1)
      sendAck(call, batch, { committed: [], rejected: [{ id, code: "SERIES_INVALID", message: "no" }] });
    else sendAck(call, batch, { refused: [{ id, code: "TIME_AHEAD", samples: 1 }] });
  });
  const { delivery } = await attach(collector.port);
  expect(await delivery.recordResult(makePoint(1))).toBe("SERIES_INVALID");
  expect(await delivery.recordResult(makePoint(2))).toBe("committed");
  expect([...delivery.counts.dropped, ...delivery.counts.refused]).toEqual([
    ["SERIES_INVALID", 1],
    ["TIME_AHEAD", 1],
  ]);
});

test("keeps batches within the collector's limit", async () => {
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call, protocolVersion, 200);
    else behave(call, frame);
  });
  const { delivery } = await attach(collector.port);
  const large = delivery.recordResult({ ...makePoint(1), fields: { text: "x".repeat(300) } });
  expect(await delivery.recordResult(makePoint(2))).toBe("committed");
  expect(await large).toBe("BATCH_TOO_LARGE");
  expect(values(collector)).toEqual([2]);
});

test("a stream under pressure gets everything once, in order", async () => {
  const held: (() => void)[] = [];
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case === "batch") held.push(() => sendAck(call, decodeBatch(frame.value)));
    if (held.length >= 20) for (const release of held.splice(0)) release();
  });
  const { delivery } = await attach(collector.port);
  const text = "y".repeat(50_000);
  for (let i = 0; i < 400; i++) void delivery.recordResult({ ...makePoint(i), fields: { value: i, text } });
  await eventually(() => expect(delivery.counts.acked).toBe(800));
  expect(values(collector)).toEqual(Array.from({ length: 400 }, (_, i) => i));
});

test.each([
  ["by its Welcome", (call: TestCall) => sendWelcome(call, protocolVersion + 1)],
  ["by its status", (call: TestCall) => call.emit("error", { code: status.FAILED_PRECONDITION, details: "speak 9" })],
])("tells that a collector speaks another protocol version, %s, and sends it nothing", async (_, answer) => {
  const collector = await startCollector((call) => answer(call));
  const { delivery, codes } = await attach(collector.port);
  delivery.record([makePoint(1)]);
  await eventually(() => expect(codes).toEqual(["PROTOCOL_MISMATCH"]));
  expect(collector.frames.map((frame) => frame.case)).toEqual(["hello"]);
  expect(await delivery.stop(0)).toEqual({ unacked: 1 });
});

test("a peer that begins with garbage is left and tried again", async () => {
  const collector = await startCollector((call, frame) => {
    if (collector.calls.length === 1) call.write(Buffer.from([0xff, 0xff, 0xff]));
    else behave(call, frame);
  });
  const { delivery, codes } = await attach(collector.port);
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  expect(codes).toContain("PROTOCOL_VIOLATION");
});

test("garbage on a stream that works costs only itself", async () => {
  const collector = await startCollector((call, frame) => {
    if (frame.case === "batch") call.write(Buffer.from([0x0a, 0x05, 0x01]));
    if (frame.case === "batch") sendFrame(call, { case: undefined });
    if (frame.case === "batch") sendWelcome(call);
    behave(call, frame);
  });
  const { delivery } = await attach(collector.port);
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  expect(delivery.counts).toMatchObject({ violations: 3, reconnects: 0 });
});

test("a collector that never says Welcome, or never acknowledges, is left and tried again", async () => {
  const collector = await startCollector((call, frame) => {
    if (collector.calls.length === 1) return;
    if (collector.calls.length === 2 && frame.case === "batch") return;
    behave(call, frame);
  });
  const { delivery, codes } = await attach(collector.port, { ...patient, welcome: 0.3, silence: 0.3 });
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  expect(collector.calls.length).toBeGreaterThanOrEqual(3);
  expect(codes.filter((code) => code === "COLLECTOR_UNREACHABLE").length).toBeGreaterThanOrEqual(2);
});

/** Passes bytes both ways to `port` until it is frozen: then it keeps the connections it has open and silent. */
async function startFreezer(port: number): Promise<{ port: number; freeze(): void }> {
  const pairs: [Socket, Socket][] = [];
  const server: Server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    pairs.push([near, far]);
    for (const socket of [near, far]) socket.on("error", () => {});
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  cleanups.push(() => {
    for (const socket of pairs.flat()) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as { port: number }).port,
    freeze: () => {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        for (const socket of [near, far]) socket.pause();
      }
    },
  };
}

test("notices by its pings that the peer of an idle stream is gone without a word", async () => {
  const collector = await startCollector();
  const freezer = await startFreezer(collector.port);
  const { delivery } = await attach(freezer.port, { ...patient, ping: 0.4 });
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  freezer.freeze();
  await eventually(() => expect(delivery.counts.reconnects).toBe(1));
  expect(await delivery.recordResult(makePoint(2))).toBe("committed");
});

test("progress is sent as it comes, and the latest of it to a collector that comes later", async () => {
  const progress = { run: "r", suite: "quick", completed: 1, total: 3, benchmark: "b", elapsed_s: 2, remaining_s: 4 };
  const absent = await startCollector();
  await absent.kill();
  const { delivery } = await attach(absent.port);
  for (const completed of [0, 1]) delivery.report({ ...progress, completed });
  const collector = await startCollector(behave, absent.port);
  await delivery.recordResult(makePoint(1));
  delivery.report({ ...progress, completed: 2 });
  const seen = (): number[] => collector.frames.flatMap((frame) => (frame.case === "progress" ? [frame.value.completed] : []));
  await eventually(() => expect(seen()).toEqual([1, 2]));
});

test("measures how far its clock is from the collector's, where that answers, and asks again and again", async () => {
  // A collector whose clock is 5 s ahead.
  const reply = (requestSentUs: bigint) => {
    const nowUs = BigInt(Date.now() * 1000 + 5_000_000);
    return { requestSentUs, receivedUs: nowUs, sentUs: nowUs };
  };
  let asked = 0;
  const collector = await startCollector((call, frame) => {
    const clock = create(ClockReplySchema, reply(0n));
    if (frame.case === "hello") sendFrame(call, { case: "welcome", value: create(WelcomeSchema, { protocolVersion, clock }) });
    if (frame.case !== "clockRequest") return;
    asked++;
    sendFrame(call, { case: "clockReply", value: create(ClockReplySchema, reply(frame.value.sentUs)) });
  });
  const { delivery, clockOffset } = await attach(collector.port, { ...patient, clock: 0.05 });
  await eventually(() => expect(asked).toBeGreaterThan(3));
  const { offsetMs, rttMs } = clockOffset.read() as ClockOffset;
  // Date.now tells whole milliseconds.
  expect(Math.abs(offsetMs + 5000)).toBeLessThanOrEqual(rttMs / 2 + 2);
  expect(delivery.counts.violations).toBe(0);
});

test("commands are answered on the stream that they came on, beside batches", async () => {
  const command = create(CommandSchema, { id: "c1", name: "anything" });
  const collector = await startCollector((call, frame) => {
    behave(call, frame);
    if (frame.case === "hello") sendFrame(call, { case: "command", value: command });
  });
  const names: string[] = [];
  const { delivery } = await attach(collector.port, patient, async ({ id, name }) => {
    names.push(name);
    return { id, done: true, resultJson: '{"a":1}' };
  });
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  const answers = () => collector.frames.flatMap((frame) => (frame.case === "commandResult" ? [frame.value] : []));
  await eventually(() => expect(answers()).toMatchObject([{ id: "c1", done: true, code: "", resultJson: '{"a":1}' }]));
  expect([names, delivery.counts.violations]).toEqual([["anything"], 0]);
});

test("a command that outlives its stream is not answered on another, nor does it hold up stopping", async () => {
  const command = create(CommandSchema, { id: "c1", name: "slow" });
  let finish = (): void => {};
  const collector = await startCollector((call, frame) => {
    behave(call, frame);
    if (frame.case === "hello" && collector.calls.length === 1) sendFrame(call, { case: "command", value: command });
  });
  const { delivery } = await attach(collector.port, patient, async ({ id }) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { id, done: true };
  });
  expect(await delivery.recordResult(makePoint(1))).toBe("committed");
  collector.calls[0].emit("error", { code: status.UNAVAILABLE, details: "broken" });
  await eventually(() => expect(delivery.counts.reconnects).toBe(1));
  finish();
  expect(await delivery.recordResult(makePoint(2))).toBe("committed");
  expect(await delivery.stop(1)).toEqual({ unacked: 0 });
  expect(collector.frames.some((frame) => frame.case === "commandResult")).toBe(false);
});

test("closing waits for what is under way, tells what is left, and ends the stream cleanly", async () => {
  const ends: string[] = [];
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") {
      call.on("end", () => ends.push("end"));
      call.on("cancelled", () => ends.push("cancelled"));
    }
    if (frame.case === "hello") sendWelcome(call);
    if (frame.case === "batch" && decodeBatch(frame.value).id.sequence === 1) sendAck(call, decodeBatch(frame.value));
  });
  const { delivery } = await attach(collector.port);
  void delivery.recordResult(makePoint(1));
  const lost = delivery.recordResult(makePoint(2));
  await eventually(() => expect(delivery.counts.acked).toBe(1));
  expect(await delivery.stop(0.05)).toEqual({ unacked: 1 });
  expect(await lost).toBe("COLLECTOR_UNREACHABLE");
  await eventually(() => expect(ends[0]).toBe("end"));
});

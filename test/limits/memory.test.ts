import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { formatAddress } from "@fleetmark/shared/config/config";
import { BatchIdSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { jetstream } from "@nats-io/jetstream";
import { expect, it, onTestFinished } from "vitest";
import { attachAgent } from "../../collector/test/support.js";
import { encodeFrame, wrapMessage } from "../load/raw-grpc.js";
import { readMetric } from "../testbed/answers.js";
import { memoryGroupObstacle } from "../testbed/memory-group.js";
import { connectNats, startNats } from "../testbed/nats.js";
import { describeUnless, missingServers } from "../testbed/needs.js";
import { type BoundedCollector, groupBytes, makeHello, openStream, startBoundedCollector, writeOn } from "./bounded-collector.js";

/** As long as the largest frame that the collector takes, but for a hundred kilobytes. */
const declaredBytes = Math.floor(15.9 * 2 ** 20);

function makeHead(length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** A batch without its id, of so many series with so many numbers and texts: what is made once, and sent under many ids. */
function makeBody(series: readonly Series[], numbers: number, texts: readonly string[] = []): Buffer {
  const timeUs = Date.now() * 1000;
  const cycle = (count: number): number[] => Array.from({ length: count }, (_, i) => i % series.length);
  const batch: Batch = {
    id: { host: "", epochUs: 0, sequence: 0 },
    series,
    numbers: { series: cycle(numbers), timeUs: Array(numbers).fill(timeUs), values: Array(numbers).fill(1) },
    texts: { series: cycle(texts.length), timeUs: Array(texts.length).fill(timeUs), values: [...texts] },
  };
  const whole = Buffer.from(encodeBatch(batch));
  // The id comes first, and is short.
  return whole.subarray(2 + whole[1]);
}

function nameBody(body: Uint8Array, host: string, sequence: number): Buffer {
  const id = toBinary(BatchIdSchema, create(BatchIdSchema, { host, epochUs: 1000n, sequence: BigInt(sequence) }));
  return Buffer.concat([Buffer.from([0x0a, id.length]), id, body]);
}

/** Series of fifty fields; with a tag of their own each where one is given. */
function makeSeries(count: number, tag?: string): Series[] {
  return Array.from({ length: count }, (_, i): Series => {
    return { measurement: "flood", tags: tag === undefined ? {} : { tag: `${tag}${i}` }, field: `f${i % 50}` };
  });
}

/** Sends for so long, as fast as the collector takes it, as so many hosts. */
async function flood(collector: BoundedCollector, hosts: number, ms: number, bodies: readonly Uint8Array[]): Promise<void> {
  const until = performance.now() + ms;
  const send = async (host: string): Promise<void> => {
    const agent = await attachAgent(collector.grpc, { host });
    for (let sequence = 1; performance.now() < until; sequence++) {
      if (agent.sendBatch(nameBody(bodies[sequence % bodies.length], host, sequence))) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const end = new AbortController();
      await Promise.race([once(agent.call, "drain", end).catch(() => {}), delay(200)]);
      end.abort();
    }
  };
  await Promise.all(Array.from({ length: hosts }, (_, i) => send(`h${i}`)));
}

/** The most samples that a batch may have, with room for its series; of numbers and of texts without a letter. */
const mostSamples = 99_000;
const heaviest = () => [makeBody(makeSeries(1), mostSamples), makeBody(makeSeries(1), 0, Array(mostSamples).fill(""))];

const sayNothing = (): void => {};

describeUnless(memoryGroupObstacle)(`a collector that may have ${groupBytes / 2 ** 20} MiB bears`, () => {
  it("a hundred streams that each leave a frame unfinished", async () => {
    const collector = await startBoundedCollector();
    const sessions = Array.from({ length: 10 }, collector.connect);
    // 1.6 GB want to come; 64 MiB of them may lie there unfinished.
    const body = Buffer.alloc(declaredBytes - 2 ** 16);
    for (const [i, session] of sessions.entries()) {
      for (let k = 0; k < 10; k++) {
        const stream = openStream(session);
        for (const part of [makeHello(`h${i}-${k}`), makeHead(declaredBytes), body]) stream.write(part);
      }
    }
    const metric = 'fleetmark_handshakes_failed_total{code="frames_unfinished"}';
    await expect.poll(() => readMetric(collector.http, metric), { timeout: 20_000 }).toBeGreaterThan(80);
    await collector.expectService();
  });

  it("streams whose first frame is too large for a Hello, which are cut off before it comes", async () => {
    const collector = await startBoundedCollector();
    const streams = Array.from({ length: 10 }, () => openStream(collector.connect()));
    const ended = streams.map((stream) => new Promise((resolve) => stream.once("close", resolve)));
    for (const stream of streams) for (const part of [makeHead(declaredBytes), Buffer.alloc(2 ** 20)]) stream.write(part);
    await Promise.all(ended);
    const metric = 'fleetmark_handshakes_failed_total{code="frame_too_early"}';
    await expect.poll(() => readMetric(collector.http, metric)).toBe(10);
    await collector.expectService();
  });

  it("three thousand connections that say nothing, and others with many times the streams that they may have", async () => {
    const collector = await startBoundedCollector();
    const silent = Array.from({ length: 3000 }, () => connectTcp(collector.grpc.port, collector.grpc.host));
    for (const socket of silent) socket.on("error", sayNothing);
    onTestFinished(() => {
      for (const socket of silent) socket.destroy();
    });
    for (let i = 0; i < 50; i++) {
      const session = collector.connect();
      for (let k = 0; k < 200; k++) openStream(session).write(makeHello(`h${i}-${k}`));
      await delay(10);
    }
    await delay(1000);
    await collector.expectService();
  });

  it("a thousand hosts that introduce themselves as largely as they may", async () => {
    const collector = await startBoundedCollector(["--limits-max-hosts", "100"]);
    const inventory = JSON.stringify({ text: "x".repeat(255 * 1024) });
    for (let i = 0; i < 70; i++) {
      const session = collector.connect();
      for (let k = 0; k < 15; k++) openStream(session).write(makeHello(`h${i}-${k}`, inventory));
      await delay(10);
    }
    const metric = 'fleetmark_streams_refused_total{code="HOSTS_TOO_MANY"}';
    await expect.poll(() => readMetric(collector.http, metric), { timeout: 20_000 }).toBeGreaterThan(500);
    // There is no room for an honest one either, until one of them was silent for an hour.
    await collector.expectAlive();
  });

  it("batches of a million texts without a letter, and of four hundred thousand numbers", async () => {
    const collector = await startBoundedCollector();
    await flood(collector, 8, 2500, [makeBody(makeSeries(1), 350_000), makeBody(makeSeries(1), 0, Array(900_000).fill(""))]);
    const metric = 'fleetmark_batches_rejected_total{code="BATCH_TOO_MANY_SAMPLES"}';
    expect(await readMetric(collector.http, metric)).toBeGreaterThan(0);
    await collector.expectService();
  });

  it("batches of as many samples as they may have", async () => {
    const collector = await startBoundedCollector();
    await flood(collector, 8, 2500, heaviest());
    await collector.expectService();
  });

  it("broken batches as fast as they can be sent", async () => {
    const collector = await startBoundedCollector();
    await flood(collector, 8, 2500, [makeBody(makeSeries(1), 350_000).subarray(0, -3)]);
    await collector.expectService();
  });

  it("a host whose series are all new", async () => {
    const collector = await startBoundedCollector();
    const bodies = Array.from({ length: 15 }, (_, i) => makeBody(makeSeries(10_000, `${"x".repeat(100)}${i}-`), 10_000));
    await flood(collector, 1, 3000, bodies);
    const metric = 'fleetmark_samples_refused_total{code="SERIES_OVER_LIMIT"}';
    await expect.poll(() => readMetric(collector.http, metric), { timeout: 20_000 }).toBeGreaterThan(0);
    await collector.expectService();
  });

  it("an agent that reads no acknowledgement", async () => {
    const collector = await startBoundedCollector();
    const stream = openStream(collector.connect(), false);
    stream.write(makeHello("deaf"));
    let sequence = 0;
    const until = performance.now() + 2500;
    const body = makeBody(makeSeries(1), 1);
    const make = () => wrapMessage(encodeFrame({ case: "batch", value: nameBody(body, "deaf", ++sequence) }));
    await writeOn(stream, make, () => performance.now() > until);
    expect(sequence).toBeGreaterThan(2000);
    await collector.expectService();
  });

  it("a store that never answers", async () => {
    const store = createServer(sayNothing).listen(0, "127.0.0.1");
    await once(store, "listening");
    onTestFinished(() => {
      store.closeAllConnections();
      store.close();
    });
    const { port } = store.address() as AddressInfo;
    const collector = await startBoundedCollector(["--store-kind", "influxdb", "--store-url", `http://127.0.0.1:${port}`]);
    await flood(collector, 8, 2500, heaviest());
    await collector.expectAlive("/healthz");
  });

  it("heavy questions, and readers who take nothing", async () => {
    const collector = await startBoundedCollector();
    const agent = await attachAgent(collector.grpc, { host: "a" });
    const body = makeBody(makeSeries(500, "t"), 20_000);
    for (let sequence = 1; sequence <= 40; sequence++) {
      agent.sendBatch(nameBody(body, "a", sequence));
      await agent.nextAck();
    }
    const end = new AbortController();
    const url = `http://${formatAddress(collector.http)}/api/v1/series?measurement=flood&field=f1&from=-1h&bucket=1s`;
    const ask = () => fetch(url).then((answer) => answer.arrayBuffer());
    const asking = Array.from({ length: 60 }, async () => {
      while (!end.signal.aborted) await ask().catch(sayNothing);
    });
    const sockets = Array.from({ length: 600 }, () => connectTcp(collector.http.port, collector.http.host));
    for (const socket of sockets) {
      socket.on("error", sayNothing).pause();
      for (let i = 0; i < 5; i++) socket.write("GET /api/v1/series/names?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    await delay(3000);
    await collector.expectService();
    end.abort();
    for (const socket of sockets) socket.destroy();
    await Promise.all(asking);
  });
});

describeUnless(memoryGroupObstacle ?? missingServers("nats-server"))("over NATS, a collector with as little bears", () => {
  it("a host whose part of the stream is full of heavy batches, again and again", async () => {
    const nats = await startNats();
    onTestFinished(nats.remove);
    const collector = await startBoundedCollector(["--nats-servers", nats.url]);
    await expect.poll(() => collector.isReady(), { timeout: 20_000 }).toBe(true);
    const connection = await connectNats(nats);
    onTestFinished(() => connection.close());
    const stream = jetstream(connection);
    const bodies = heaviest().map((body) => body.subarray(0, 900_000));
    const until = performance.now() + 4000;
    let [sequence, refused] = [0, 0];
    const publish = async (): Promise<void> => {
      while (performance.now() < until) {
        const payload = nameBody(bodies[++sequence % 2], "h1", sequence);
        await stream.publish(natsSubject("batch", "h1"), payload).catch(() => refused++);
      }
    };
    await Promise.all(Array.from({ length: 300 }, publish));
    expect(refused).toBeGreaterThan(0);
    await collector.expectService();
  });
});

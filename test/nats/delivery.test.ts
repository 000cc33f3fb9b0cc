import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type Ack,
  type AgentFrame,
  AgentFrameSchema,
  CollectorFrameSchema,
  HelloSchema,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsConsumer, natsStream, natsSubject, natsSubjects, readSubjectHost } from "@fleetmark/shared/nats/subjects";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import {
  decodeAgentFrame,
  decodeCollectorFrame,
  encodeAgentFrame,
  encodeCollectorFrame,
  protocolVersion,
} from "@fleetmark/shared/wire/frames";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { buildBatch } from "../../collector/test/support.js";
import { countSamples, readMetric } from "../testbed/answers.js";
import { openTestAgent, openTestCollector, type TestAgentOptions } from "../testbed/fleet.js";
import { shareNats } from "../testbed/nats.js";
import { describeWith } from "../testbed/needs.js";

const patience = { timeout: 20_000, interval: 20 };

describeWith("nats-server")("delivery over NATS", () => {
  const nats = shareNats();
  const cleanups: (() => unknown)[] = [];

  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
    const manager = await jetstreamManager(nats.nc);
    await manager.streams.delete(natsStream).catch(() => {});
  });

  const openCollector = async (config: object = {}, stream: object = {}) => {
    const collector = await openTestCollector({ nats: { servers: [nats.server.url], stream }, ...config });
    cleanups.push(collector.stop);
    return collector;
  };
  /** Opens a collector and waits until it takes batches: the stream is there then. */
  const openReadyCollector = async (config: object = {}, stream: object = {}) => {
    const collector = await openCollector(config, stream);
    await vi.waitFor(() => expect(collector.events).toContainEqual(expect.objectContaining({ event: "nats_taking" })), patience);
    return collector;
  };
  const openAgent = async (host: string, options: Partial<TestAgentOptions> = {}) => {
    const agent = await openTestAgent({ host, nats: { servers: [nats.server.url] }, ...options });
    cleanups.push(agent.close);
    return agent;
  };
  /** Collects the acknowledgements for a host. */
  const hearAcks = (host: string): Ack[] => {
    const acks: Ack[] = [];
    nats.nc.subscribe(natsSubject("ack", host), {
      callback: (_error, { data }) => {
        const { frame } = decodeCollectorFrame(data);
        if (frame.case === "ack") acks.push(frame.value);
      },
    });
    return acks;
  };

  it("commits what agents of two hosts send, each sample once", async () => {
    const collector = await openReadyCollector();
    const agents = await Promise.all([openAgent("h1"), openAgent("h2 é")]);
    const fates = await Promise.all(agents.map((agent) => agent.produce(200)));
    expect(fates.flat().every((fate) => fate === "committed")).toBe(true);
    expect(await countSamples(collector.http)).toBe(400);
    expect(agents[0].codes()).toEqual([]);
  });

  it("takes nothing of a second agent of a host's name, which is told so and keeps all", async () => {
    const collector = await openReadyCollector();
    const first = await openAgent("h1", { hasIdentity: true });
    expect(await first.produce(20)).toEqual(Array(20).fill("committed"));
    const second = await openAgent("h1", { hasIdentity: true });
    void second.produce(5);
    await vi.waitFor(() => expect(second.codes()).toContain("HOST_NAME_TAKEN"), patience);
    expect(await first.produce(20)).toEqual(Array(20).fill("committed"));
    expect([second.delivery.spool.batches, await countSamples(collector.http)]).toEqual([5, 40]);
    expect(await readMetric(collector.http, "fleetmark_host_name_conflicts_total")).toBeGreaterThan(0);
    expect(collector.events).toContainEqual(expect.objectContaining({ event: "host_name_taken", agent: "h1" }));
  });

  it("gives back what it would refuse for its time while most hosts contradict its clock", async () => {
    const collector = await openReadyCollector();
    const aheadUs = 2 * 3600e6;
    const acks = hearAcks("h1");
    const hello = create(HelloSchema, {
      protocolVersion,
      agentVersion: "0",
      host: "h1",
      hardwareClass: "c",
      inventoryJson: "{}",
      sentUs: BigInt(Date.now() * 1000 + aheadUs),
    });
    const frame: AgentFrame["frame"] = { case: "hello", value: hello };
    await nats.nc.request(natsSubject("hello", "h1"), encodeAgentFrame(create(AgentFrameSchema, { frame })));
    const point = { measurement: "oracle", tags: {}, timeUs: Date.now() * 1000 + aheadUs, fields: { number: 1 } };
    await jetstream(nats.nc).publish(natsSubject("batch", "h1"), encodeBatch(buildBatch(1, [point])));
    await vi.waitFor(
      async () => expect(await readMetric(collector.http, "fleetmark_batches_deferred_total")).toBeGreaterThan(0),
      patience,
    );
    const manager = await jetstreamManager(nats.nc);
    expect((await manager.streams.info(natsStream)).state.messages).toBe(1);
    expect([acks, await countSamples(collector.http)]).toEqual([[], 0]);
  });

  it("tells the agent when its acknowledgement was lost, though the stream remembers the batch", async () => {
    const manager = await jetstreamManager(nats.nc);
    const collector = await openCollector();
    const agent = await openAgent("h1");
    expect(await agent.produce(1)).toEqual(["committed"]);
    await collector.stop();
    // A collector that commits and dies before a word of it.
    const produced = agent.produce(3);
    const consumer = await jetstream(nats.nc).consumers.get(natsStream, natsConsumer);
    for (let taken = 0; taken < 3; ) {
      for await (const message of await consumer.fetch({ max_messages: 3, expires: 1000 })) {
        taken++;
        expect(message.headers?.get("Nats-Msg-Id")).toMatch(/^h1\/\d+\/\d+\/[0-9a-f]+$/);
        message.ack();
      }
    }
    const names: string[] = [];
    await vi.waitFor(async () => expect((await manager.streams.info(natsStream)).state.messages).toBe(3), patience);
    for await (const message of await consumer.fetch({ max_messages: 3, expires: 1000 })) {
      names.push(message.headers?.get("Nats-Msg-Id") ?? "");
      message.nak();
    }
    expect(names.every((name) => name.endsWith("#2"))).toBe(true);
    expect(agent.events).toContainEqual(expect.objectContaining({ event: "acks_lost" }));
    await openCollector();
    expect(await produced).toEqual(["committed", "committed", "committed"]);
  });

  it("leaves what waits in the stream there, while no collector takes it", async () => {
    const collector = await openReadyCollector();
    await collector.stop();
    const manager = await jetstreamManager(nats.nc);
    const agent = await openAgent("h1", { timing: { silence: 50, look: 20 } });
    const produced = agent.produce(5);
    await vi.waitFor(async () => expect((await manager.streams.info(natsStream)).state.messages).toBe(5), patience);
    const { num_pending } = await manager.consumers.info(natsStream, natsConsumer);
    // Enough looks for a resend, if there were to be one.
    for (let look = 0; look < 20; look++) await manager.consumers.info(natsStream, natsConsumer);
    expect([num_pending, (await manager.streams.info(natsStream)).state.last_seq]).toEqual([5, 5]);
    expect(agent.delivery.counts.resent).toBe(0);
    await openCollector();
    expect(await produced).toEqual(Array(5).fill("committed"));
  });

  it("stores a batch once that came under two message ids", async () => {
    const collector = await openReadyCollector();
    const acks = hearAcks("h1");
    const timeUs = Date.now() * 1000;
    const bytes = encodeBatch(buildBatch(1, [{ measurement: "oracle", tags: {}, timeUs, fields: { number: 7 } }]));
    for (const msgID of ["a", "a#2"]) await jetstream(nats.nc).publish(natsSubject("batch", "h1"), bytes, { msgID });
    await vi.waitFor(() => expect(acks.flatMap(({ committed }) => committed)).toHaveLength(2), patience);
    expect(await countSamples(collector.http)).toBe(1);
    expect(await readMetric(collector.http, "fleetmark_batches_repeated_total")).toBe(1);
  });

  it("gives back what it has in hand when it closes, for another collector to take at once", async () => {
    // No store answers there, so nothing leaves the hand.
    const store = { kind: "influxdb", url: "http://127.0.0.1:1" };
    const first = await openReadyCollector({ store });
    const agent = await openAgent("h1");
    const fates = agent.produce(5);
    const manager = await jetstreamManager(nats.nc);
    const inHand = async () => (await manager.consumers.info(natsStream, natsConsumer)).num_ack_pending;
    await vi.waitFor(async () => expect(await inHand()).toBe(5), patience);
    await first.stop();
    const second = await openCollector();
    expect(await fates).toEqual(Array(5).fill("committed"));
    expect(await readMetric(second.http, "fleetmark_nats_redelivered_total")).toBe(5);
  });

  it("puts poison into quarantine, says so, and goes on", async () => {
    const collector = await openReadyCollector({ limits: { max_batch_bytes: 2048 } });
    const acks = hearAcks("h1");
    const js = jetstream(nats.nc);
    const subject = natsSubject("batch", "h1");
    const timeUs = Date.now() * 1000;
    const point = { measurement: "oracle", tags: {}, timeUs, fields: { number: 1 } };
    const text = { ...point, fields: { text: "x".repeat(4096) } };
    const whole = encodeBatch(buildBatch(3, [point]));
    await js.publish(subject, new Uint8Array([1, 2, 3]));
    await js.publish(subject, encodeBatch(buildBatch(1, [text])));
    await js.publish(subject, encodeBatch(buildBatch(2, [point], "h2")));
    await js.publish(subject, whole.subarray(0, whole.length - 3));
    await js.publish("fleetmark.v1.batch.%68%31", encodeBatch(buildBatch(5, [point])));
    await js.publish(subject, encodeBatch(buildBatch(4, [point])));
    await vi.waitFor(() => expect(acks.flatMap(({ committed }) => committed)).toHaveLength(1), patience);
    await vi.waitFor(() => expect(acks.flatMap(({ rejected }) => rejected)).toHaveLength(3), patience);
    expect(acks.flatMap(({ rejected }) => rejected.map(({ code, id }) => [code, Number(id?.sequence)])).sort()).toEqual([
      ["BATCH_FOREIGN", 2],
      ["BATCH_MALFORMED", 3],
      ["BATCH_TOO_LARGE", 1],
    ]);
    expect(await countSamples(collector.http)).toBe(1);
    expect(await readMetric(collector.http, 'fleetmark_batches_rejected_total{code="BATCH_FOREIGN"}')).toBe(2);
    const manager = await jetstreamManager(nats.nc);
    await vi.waitFor(async () => expect((await manager.streams.info(natsStream)).state.messages).toBe(0), patience);
    const { num_ack_pending, num_pending } = await manager.consumers.info(natsStream, natsConsumer);
    expect([num_ack_pending, num_pending]).toEqual([0, 0]);
  });

  it("carries commands to the host that is meant, and what became of them back", async () => {
    const command = (id: string) => create(CollectorFrameSchema, { frame: { case: "command", value: { id, name: "anything" } } });
    const results: AgentFrame["frame"][] = [];
    nats.nc.subscribe(natsSubjects("command_result"), {
      callback: (_error, { data, subject }) => {
        expect(readSubjectHost(subject)).toBe("h1");
        results.push(decodeAgentFrame(data).frame);
      },
    });
    const names: string[] = [];
    const agent = await openAgent("h1", {
      onCommand: async ({ id, name }) => {
        names.push(name);
        return { id, done: false, code: "COMMAND_UNKNOWN", message: "no" };
      },
    });
    await vi.waitFor(() => expect(agent.events.some(({ event }) => event === "nats_connected")).toBe(true), patience);
    // A plain message finds nobody while the subscription is on its way.
    const answered = async (id: string): Promise<void> => {
      nats.nc.publish(natsSubject("command", "h2"), encodeCollectorFrame(command("of another")));
      nats.nc.publish(natsSubject("command", "h1"), encodeCollectorFrame(command(id)));
      await vi.waitFor(() => expect(results.length).toBeGreaterThan(0), { timeout: 500, interval: 20 });
    };
    await vi.waitFor(() => answered("c1"), patience);
    expect(results[0]).toMatchObject({ case: "commandResult", value: { id: "c1", done: false, code: "COMMAND_UNKNOWN" } });
    expect([new Set(names), agent.delivery.counts.violations]).toEqual([new Set(["anything"]), 0]);
    nats.nc.publish(natsSubject("command", "h1"), "nonsense");
    await vi.waitFor(() => expect(agent.delivery.counts.violations).toBe(1), patience);
  });

  it("says on both sides what a Hello that is wrong is refused for", async () => {
    const collector = await openReadyCollector();
    const answer = await nats.nc.request(natsSubject("hello", "h1"), "nonsense", { timeout: 5000 });
    expect(answer.headers?.get("Fleetmark-Code")).toBe("PROTOCOL_VIOLATION");
    expect(await readMetric(collector.http, 'fleetmark_streams_refused_total{code="PROTOCOL_VIOLATION"}')).toBe(1);
    expect(create(HelloSchema).host).toBe("");
  });

  it("keeps at the agents what a full stream does not take, and loses none of it", async () => {
    const stream = { max_bytes: "1MiB" };
    const collector = await openReadyCollector({}, stream);
    await collector.stop();
    const agent = await openAgent("h1");
    const other = await openAgent("h2");
    const timeUs = Date.now() * 1000;
    const send = (from: typeof agent, i: number) =>
      from.delivery.recordResult({
        measurement: "oracle",
        tags: {},
        timeUs: timeUs + i,
        fields: { number: i, text: "x".repeat(50_000) },
      });
    const fates = Array.from({ length: 30 }, (_, i) => send(i % 2 === 0 ? agent : other, i));
    await vi.waitFor(() => expect([...agent.codes(), ...other.codes()]).toContain("NATS_STREAM_FULL"), patience);
    await openCollector({}, stream);
    expect(await Promise.all(fates)).toEqual(Array(30).fill("committed"));
  });

  it("turns a host away whose part of the stream is full, and no other", async () => {
    const stream = { max_batches_per_host: 64 };
    const collector = await openReadyCollector({}, stream);
    await collector.stop();
    const js = jetstream(nats.nc);
    const publish = (sequence: number) => {
      const point = { measurement: "oracle", tags: {}, timeUs: Date.now() * 1000, fields: { number: sequence } };
      return js.publish(natsSubject("batch", "h1"), encodeBatch(buildBatch(sequence, [point])));
    };
    for (let sequence = 1; sequence <= 64; sequence++) await publish(sequence);
    await expect(publish(65)).rejects.toThrow("maximum messages per subject exceeded");
    const [full, other] = [await openAgent("h1"), await openAgent("h2")];
    const fates = [full.produce(3), other.produce(5)];
    await vi.waitFor(() => expect(full.codes()).toContain("NATS_STREAM_FULL"), patience);
    const manager = await jetstreamManager(nats.nc);
    await vi.waitFor(async () => expect((await manager.streams.info(natsStream)).state.messages).toBe(69), patience);
    expect([other.codes(), full.delivery.spool.batches]).toEqual([[], 3]);
    await openCollector({}, stream);
    expect((await Promise.all(fates)).flat()).toEqual(Array(8).fill("committed"));
  });

  it("gives back for a while what a host sends beyond its rate, takes it once, and goes on with the others", async () => {
    const collector = await openReadyCollector({ limits: { bytes_per_second_per_host: "64KiB" } });
    const acks = [hearAcks("h1"), hearAcks("h2")];
    const timeUs = Date.now() * 1000;
    // Random hexadecimals, for a batch is compressed: 1.2 MB in all, of which 640 KiB may come at once.
    const send = (host: string, sequence: number, bytes: number) => {
      const fields = { number: sequence, text: randomBytes(bytes).toString("hex").slice(0, 60_000) };
      const batch = buildBatch(sequence, [{ measurement: "oracle", tags: {}, timeUs: timeUs + sequence, fields }], host);
      return jetstream(nats.nc).publish(natsSubject("batch", host), encodeBatch(batch));
    };
    const began = performance.now();
    for (let sequence = 1; sequence <= 28; sequence++) await send("h1", sequence, 30_000);
    await send("h2", 1, 100);
    await vi.waitFor(() => expect(acks[1]).toHaveLength(1), patience);
    const committed = () => (acks[0] ?? []).flatMap((ack) => ack.committed).length;
    expect(committed()).toBeLessThan(28);
    await vi.waitFor(() => expect(committed()).toBe(28), patience);
    expect(performance.now() - began).toBeGreaterThan(500);
    expect(await countSamples(collector.http)).toBe(29);
    const sentBack = await readMetric(collector.http, "fleetmark_hosts_throttled_total");
    expect(sentBack).toBeGreaterThan(0);
    expect(await readMetric(collector.http, "fleetmark_nats_redelivered_total")).toBe(sentBack);
  });

  it("goes on by itself once there is a stream, and says meanwhile that there is none", async () => {
    const agent = await openAgent("h1");
    const fates = agent.produce(3);
    await vi.waitFor(() => expect(agent.codes()).toContain("NATS_STREAM_MISSING"), patience);
    await openCollector();
    expect(await fates).toEqual(Array(3).fill("committed"));
  });

  it("sends all anew when the stream was deleted with what it held", async () => {
    const collector = await openCollector();
    const agent = await openAgent("h1");
    expect(await agent.produce(1)).toEqual(["committed"]);
    await collector.stop();
    const fates = agent.produce(4);
    const manager = await jetstreamManager(nats.nc);
    await vi.waitFor(async () => expect((await manager.streams.info(natsStream)).state.messages).toBe(4), patience);
    await vi.waitFor(() => expect(agent.events).toContainEqual(expect.objectContaining({ event: "position" })), patience);
    await manager.streams.delete(natsStream);
    await openCollector();
    expect(await fates).toEqual(Array(4).fill("committed"));
  });

  describe("a stream that is not as configured", () => {
    it("stops the ingest where the contract would break, says how to mend it, and goes on once it is", async () => {
      const manager = await jetstreamManager(nats.nc);
      await manager.streams.add({ name: natsStream, subjects: ["fleetmark.v1.batch.*"], retention: "limits", discard: "old" });
      const collector = await openCollector();
      await vi.waitFor(() => expect(collector.codes()).toContain("NATS_STREAM_MISMATCH"), patience);
      const said = collector.events.find(({ code }) => code === "NATS_STREAM_MISMATCH")?.msg;
      expect(said).toContain('retention is "limits", wanted "workqueue"');
      expect(said).toContain("delete the stream");
      expect((await manager.streams.info(natsStream)).config.retention).toBe("limits");
      const ready = await fetch(`http://127.0.0.1:${collector.http.port}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("NATS_STREAM_MISMATCH")]);
      await manager.streams.delete(natsStream);
      const agent = await openAgent("h1");
      expect(await agent.produce(1)).toEqual(["committed"]);
      await vi.waitFor(
        async () => expect((await fetch(`http://127.0.0.1:${collector.http.port}/readyz`)).ok).toBe(true),
        patience,
      );
    });

    it("stops the ingest where a host's newest batch would push out its oldest", async () => {
      const manager = await jetstreamManager(nats.nc);
      const subjects = ["fleetmark.v1.batch.*"];
      const made = { name: natsStream, subjects, retention: "workqueue", discard: "new", max_msgs_per_subject: 256 } as const;
      await manager.streams.add({ ...made, max_bytes: 4 * 2 ** 30 });
      const collector = await openCollector();
      await vi.waitFor(() => expect(collector.codes()).toContain("NATS_STREAM_MISMATCH"), patience);
      const said = collector.events.find(({ code }) => code === "NATS_STREAM_MISMATCH")?.msg;
      expect(said).toContain("`nats stream edit FLEETMARK --discard-per-subject");
      expect((await fetch(`http://127.0.0.1:${collector.http.port}/readyz`)).status).toBe(503);
    });

    it("goes on with one that bounds no host, and says so", async () => {
      const first = await openCollector({}, { max_batches_per_host: 0 });
      const agent = await openAgent("h1");
      expect(await agent.produce(1)).toEqual(["committed"]);
      expect(first.codes()).toEqual([]);
      await first.stop();
      const second = await openCollector();
      expect(await agent.produce(1)).toEqual(["committed"]);
      const said = second.events.find(({ code }) => code === "NATS_STREAM_MISMATCH")?.msg;
      expect(said).toContain("--max-msgs-per-subject=256 --discard-per-subject` changes it");
      expect(said).toMatch(/configure nats\.stream\.max_batches_per_host: 0$/);
    });

    it("says how to take a host's bound away", async () => {
      const first = await openReadyCollector();
      await first.stop();
      const second = await openReadyCollector({}, { max_batches_per_host: 0 });
      const said = second.events.find(({ code }) => code === "NATS_STREAM_MISMATCH")?.msg;
      expect(said).toContain("--max-msgs-per-subject=-1 --no-discard-per-subject` changes it");
      expect(said).toMatch(/configure nats\.stream\.max_batches_per_host: 256$/);
    });

    it.each([
      [{ replicas: 3 }, "set nats.stream.replicas to 1"],
      [{ max_bytes: "1TiB" }, "lower nats.stream.max_bytes"],
    ])("can't be made with %j, and the collector says what would do", async (stream, advice) => {
      const collector = await openCollector({}, stream);
      const failed = { code: "NATS_FAILED", msg: expect.stringContaining(advice) };
      await vi.waitFor(() => expect(collector.events).toContainEqual(expect.objectContaining(failed)), patience);
    });

    it("says what only sizes it, leaves it, and goes on", async () => {
      const first = await openCollector();
      const agent = await openAgent("h1");
      expect(await agent.produce(1)).toEqual(["committed"]);
      await first.stop();
      const second = await openCollector({}, { max_bytes: "1GiB", max_age: "1d" });
      expect(await agent.produce(1)).toEqual(["committed"]);
      const said = second.events.find(({ code }) => code === "NATS_STREAM_MISMATCH")?.msg;
      expect(said).toContain("`nats stream edit FLEETMARK --max-bytes=1073741824 --max-age=86400s` changes it");
      expect(said).toContain("to keep it, configure nats.stream.max_bytes: 4294967296, nats.stream.max_age: 604800s");
      const manager = await jetstreamManager(nats.nc);
      expect((await manager.streams.info(natsStream)).config.max_bytes).toBe(4 * 2 ** 30);
    });
  });
});

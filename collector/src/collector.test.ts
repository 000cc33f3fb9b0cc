import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { AgentFrameSchema, ProgressSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { formatAddress } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { status } from "@grpc/grpc-js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeSkipped } from "../../shared/test/records.js";
import { attachAgent, buildBatch, connectAgent, makeDirectory, makeHello, makeResult, makeRun } from "../test/support.js";
import { readOwnerToken } from "./access/owner-token.js";
import { type Collector, startCollector } from "./collector.js";
import { collectorConfigSchema } from "./config.js";
import { openStoreReadOnly } from "./store/duckdb/duckdb.js";

const anyPort = { listen: "127.0.0.1:0" };

async function start(directory = makeDirectory(), changes: Record<string, unknown> = {}): Promise<Collector> {
  const input = { data_dir: directory, grpc: anyPort, http: anyPort, log: { level: "silent" }, ...changes };
  const collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  return collector;
}

const cpu = (value: number, timeUs = Date.now() * 1000) => ({
  measurement: "cpu",
  tags: { cpu: "cpu0" },
  timeUs,
  fields: { usage_user: value },
});

async function ask(collector: Collector, path: string) {
  const response = await fetch(`http://${formatAddress(collector.http)}${path}`);
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined };
}

async function readCounter(collector: Collector, name: string): Promise<number> {
  const line = (await ask(collector, "/metrics")).text.split("\n").find((each) => each.startsWith(`fleetmark_${name} `));
  return Number(line?.split(" ")[1]);
}

describe("the way of a batch", () => {
  it("acknowledges what is stored, with the KPIs of its results, and answers for it", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc);
    const result = makeResult();
    agent.sendBatch(
      encodeBatch(buildBatch(1, [cpu(1), cpu(Number.NaN), resultRecord.toPoint(result), runRecord.toPoint(makeRun())])),
    );
    const ack = await agent.nextAck();
    expect(ack.committed).toMatchObject([{ host: "h1", epochUs: 1000n, sequence: 1n }]);
    expect(ack.refused).toMatchObject([{ code: "VALUE_NOT_FINITE", samples: 1 }]);
    expect((await ask(collector, "/api/v1/results?host=h1&run=run-1")).json).toEqual([result]);
    const [kpis] = (await ask(collector, "/api/v1/kpis")).json;
    expect(kpis).toMatchObject({ host: "h1", hw_class: "c1", run: null });
    expect(kpis.kpis[1]).toMatchObject({ kpi: "policy_inference_time_ms", value: 0.05, status: "ok", run: "run-1" });
    const history = (await ask(collector, "/api/v1/series?measurement=kpi&field=value&host=h1&tags=runtime=jax-js")).json;
    expect(history.series).toMatchObject([{ tags: { kpi: "policy_inference_time_ms" }, points: [[expect.any(Number), 0.05]] }]);
    await collector.stop();
    const stored = await openStoreReadOnly(directory);
    onTestFinished(() => stored.close());
    expect(await stored.readLatest(resultRecord, {})).toEqual([result]);
  });

  it("acknowledges a repeated batch again without storing it again", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    const bytes = encodeBatch(buildBatch(1, [cpu(1)]));
    for (let i = 0; i < 3; i++) {
      agent.sendBatch(bytes);
      expect((await agent.nextAck()).committed).toHaveLength(1);
    }
    expect(await readCounter(collector, "batches_repeated_total")).toBe(2);
    const { json } = await ask(collector, "/api/v1/series?measurement=cpu&field=usage_user");
    expect(json.series[0].points).toHaveLength(1);
  });

  it("lets an agent that has closed its side have its last acknowledgements", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    agent.sendBatch(encodeBatch(buildBatch(1, [cpu(1)])));
    agent.call.end();
    expect((await agent.nextAck()).committed).toHaveLength(1);
    expect((await agent.ended).code).toBe(status.OK);
  });

  it("tells an agent its clock, in the Welcome and whenever it asks", async () => {
    const collector = await start();
    const beforeUs = BigInt((Date.now() - 1) * 1000);
    const agent = connectAgent(collector.grpc);
    const send = (frame: MessageInitShape<typeof AgentFrameSchema>["frame"]) =>
      agent.call.write(encodeAgentFrame(create(AgentFrameSchema, { frame })));
    send({ case: "hello", value: makeHello() });
    const { clock } = await agent.nextWelcome();
    send({ case: "clockRequest", value: { sentUs: 7n } });
    const reply = await agent.nextClockReply();
    expect(reply.requestSentUs).toBe(7n);
    const afterUs = BigInt((Date.now() + 1) * 1000);
    const moments = [beforeUs, clock?.receivedUs, clock?.sentUs, reply.receivedUs, reply.sentUs, afterUs] as bigint[];
    expect(moments).toEqual(moments.toSorted((a, b) => Number(a - b)));
  });

  it("commits and acknowledges what it has taken in when it is stopped", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    for (let sequence = 1; sequence <= 50; sequence++) agent.sendBatch(encodeBatch(buildBatch(sequence, [cpu(sequence)])));
    let acknowledged = (await agent.nextAck()).committed.length;
    const stopped = collector.stop();
    for (;;) {
      const ack = await agent.nextAck().catch(() => undefined);
      if (ack === undefined) break;
      acknowledged += ack.committed.length;
    }
    await stopped;
    expect((await agent.ended).code).toBe(status.UNAVAILABLE);
    expect(acknowledged).toBeGreaterThan(0);
  });
});

describe("what comes from outside", () => {
  /** A collector survives when it still takes a batch. */
  async function expectAlive(collector: Collector): Promise<void> {
    const agent = await attachAgent(collector.grpc, { host: "alive" });
    agent.sendBatch(encodeBatch(buildBatch(1, [cpu(1)], "alive")));
    expect((await agent.nextAck()).committed).toHaveLength(1);
  }

  it("ends a stream that speaks another version, naming both", async () => {
    const collector = await start();
    const agent = connectAgent(collector.grpc);
    const hello = makeHello({ protocolVersion: 7 });
    agent.call.write(encodeAgentFrame(create(AgentFrameSchema, { frame: { case: "hello", value: hello } })));
    const ended = await agent.ended;
    expect(ended).toMatchObject({ code: status.FAILED_PRECONDITION, details: expect.stringMatching(/version 7.*version 1/) });
    expect(ended.metadata.get("fleetmark-code")).toEqual(["PROTOCOL_MISMATCH"]);
    await expectAlive(collector);
  });

  it.each([
    ["bytes that are no frame", Buffer.from([255, 255, 255])],
    ["an empty frame", Buffer.alloc(0)],
    ["a batch before Hello", encodeAgentFrame(create(AgentFrameSchema, { frame: { case: "batch", value: new Uint8Array(3) } }))],
  ])("ends a stream that begins with %s, and counts it", async (_, frame) => {
    const collector = await start();
    const agent = connectAgent(collector.grpc);
    agent.call.write(frame);
    expect(await agent.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await readCounter(collector, 'streams_refused_total{code="PROTOCOL_VIOLATION"}')).toBe(1);
    await expectAlive(collector);
  });

  it.each([
    ["an empty host", { host: "" }],
    ["a host with a control character", { host: "a\nb" }],
    ["an inventory that is no object", { inventoryJson: "[1]" }],
    ["an endless inventory", { inventoryJson: JSON.stringify({ a: "x".repeat(70_000) }) }],
  ])("ends a stream whose Hello has %s", async (_, changes) => {
    const collector = await start();
    const agent = connectAgent(collector.grpc);
    agent.call.write(encodeAgentFrame(create(AgentFrameSchema, { frame: { case: "hello", value: makeHello(changes) } })));
    expect(await agent.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it("rejects a 10 MB tag and a foreign batch, keeps them in quarantine, and goes on with the same stream", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc);
    const huge = encodeBatch(buildBatch(1, [{ ...cpu(1), tags: { cpu: "x".repeat(10_000_000) } }]));
    agent.sendBatch(huge);
    expect((await agent.nextAck()).rejected).toMatchObject([{ id: { sequence: 1n }, code: "BATCH_TOO_LARGE" }]);
    agent.sendBatch(encodeBatch(buildBatch(2, [cpu(1)], "h2")));
    expect((await agent.nextAck()).rejected).toMatchObject([{ id: { host: "h2", sequence: 2n }, code: "BATCH_FOREIGN" }]);
    agent.sendBatch(encodeBatch(buildBatch(3, [cpu(1)])));
    expect((await agent.nextAck()).committed).toMatchObject([{ sequence: 3n }]);
    const kept = readdirSync(join(directory, "quarantine")).sort();
    expect(kept.map((name) => name.split("-")[2])).toEqual(["BATCH_TOO_LARGE", "BATCH_FOREIGN"]);
    expect(readFileSync(join(directory, "quarantine", kept[0])).equals(huge)).toBe(true);
  });

  it("refuses the samples of new series beyond the limit, while known series go on, also after a restart", async () => {
    const directory = makeDirectory();
    const limits = { new_series_per_host_per_hour: 3, max_hosts: 1 };
    const tagged = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ ...cpu(1), tags: { cpu: `cpu${from + i}` } }));
    const first = await start(directory, { limits });
    const agent = await attachAgent(first.grpc);
    agent.sendBatch(encodeBatch(buildBatch(1, tagged(0, 3))));
    expect((await agent.nextAck()).refused).toEqual([]);
    await first.stop();
    const second = await start(directory, { limits });
    const again = await attachAgent(second.grpc);
    // The first batches over the limit make it ask the store; until that answers they are let in.
    again.sendBatch(encodeBatch(buildBatch(2, tagged(3, 7))));
    expect((await again.nextAck()).refused).toEqual([]);
    again.sendBatch(encodeBatch(buildBatch(3, [...tagged(0, 7), ...tagged(100, 104)])));
    expect((await again.nextAck()).refused).toMatchObject([{ code: "SERIES_OVER_LIMIT", samples: 4 }]);
    expect(await readCounter(second, 'samples_refused_total{code="SERIES_OVER_LIMIT"}')).toBe(4);

    const other = connectAgent(second.grpc);
    other.call.write(encodeAgentFrame(create(AgentFrameSchema, { frame: { case: "hello", value: makeHello({ host: "h2" }) } })));
    expect(await other.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringContaining("1 hosts") });
  });

  it("ends the stream of a batch whose id cannot be read, and keeps the batch", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc);
    agent.sendBatch(Buffer.from("no batch"));
    expect(await agent.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
    await expectAlive(collector);
    expect(readdirSync(join(directory, "quarantine"))).toHaveLength(1);
  });

  it("lets the newer of two streams of one host win", async () => {
    const collector = await start();
    const elder = await attachAgent(collector.grpc);
    const newer = await attachAgent(collector.grpc);
    expect(await elder.ended).toMatchObject({ code: status.ABORTED, details: expect.stringContaining("h1") });
    newer.sendBatch(encodeBatch(buildBatch(1, [cpu(1)])));
    expect((await newer.nextAck()).committed).toHaveLength(1);
    const [host] = (await ask(collector, "/api/v1/hosts")).json;
    expect(host).toMatchObject({ host: "h1", attached: true, inventory: { cpu: "x" }, batches_received: 1 });
  });

  it("shows the progress of a run until it ends", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    const send = async (benchmark: string, sequence: number) => {
      const progress = { run: "run-1", suite: "quick", completed: 1, total: 3, benchmark, elapsedS: 2, remainingS: 4 };
      const frame = { case: "progress" as const, value: create(ProgressSchema, progress) };
      agent.call.write(encodeAgentFrame(create(AgentFrameSchema, { frame })));
      agent.sendBatch(encodeBatch(buildBatch(sequence, [cpu(1)])));
      await agent.nextAck();
      return (await ask(collector, "/api/v1/hosts")).json[0].progress;
    };
    const shown = { run: "run-1", suite: "quick", completed: 1, total: 3, benchmark: "x", elapsed_s: 2, remaining_s: 4 };
    expect(await send("x", 1)).toEqual(shown);
    expect(await send("", 2)).toBeNull();
  });
});

describe("starting", () => {
  async function occupy(): Promise<{ server: Server; listen: string }> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return { server, listen: `127.0.0.1:${(server.address() as { port: number }).port}` };
  }

  it.each(["grpc", "http"])("names a taken port for %s, and leaves nothing open", async (which) => {
    const directory = makeDirectory();
    const { listen } = await occupy();
    const failed = start(directory, { [which]: { listen } });
    await expect(failed).rejects.toMatchObject({ code: "PORT_TAKEN", message: expect.stringContaining(listen) });
    const collector = await start(directory);
    expect((await ask(collector, "/readyz")).json).toEqual({ status: "ready", troubles: [] });
  });

  it("refuses to listen beyond this machine", () => {
    const parsed = collectorConfigSchema.safeParse({ grpc: { listen: "0.0.0.0:7420" } });
    expect(parsed.error?.issues).toMatchObject([
      { path: ["grpc", "listen"], message: expect.stringContaining("client certificates") },
    ]);
  });

  it("is stopped twice as once", async () => {
    const collector = await start();
    await Promise.all([collector.stop(), collector.stop()]);
  });
});

describe("the HTTP API", () => {
  it.each([
    ["/api/v1/results?hots=h1", 400, "REQUEST_INVALID"],
    ["/api/v1/results?category=none", 400, "REQUEST_INVALID"],
    ["/api/v1/runs?limit=0", 400, "REQUEST_INVALID"],
    ["/api/v1/series", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&from=yesterday", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&from=now&to=-1h", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&from=-10d&bucket=1s", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&bucket=0s", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&tags=nothing", 400, "REQUEST_INVALID"],
    ["/api/v1/series?measurement=cpu&field=x&aggregate=sum", 400, "REQUEST_INVALID"],
    ["/api/v1/%ZZ", 400, "REQUEST_INVALID"],
    ["/nowhere", 404, "ROUTE_UNKNOWN"],
  ])("answers %s with %d %s", async (path, expected, code) => {
    const collector = await start();
    const { status: found, json } = await ask(collector, path);
    expect([found, json.code]).toEqual([expected, code]);
    expect(json.remedy).toBe(new FleetmarkError(code as "INTERNAL", "").remedy);
  });

  it("only reads", async () => {
    const collector = await start();
    const response = await fetch(`http://${formatAddress(collector.http)}/api/v1/runs`, { method: "POST", body: "{}" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("widens the buckets of a default history that would hold too many points, and no others", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    const fromUs = (Math.floor(Date.now() / 1000) - 3590) * 1e6;
    for (let sequence = 1; sequence <= 6; sequence++) {
      const points = Array.from({ length: 10_000 }, (_, i) => {
        const timeUs = fromUs + ((sequence - 1) * 50 + Math.floor(i / 200)) * 11.9e6;
        return { measurement: "cpu", tags: { cpu: `cpu${i % 200}` }, timeUs: Math.round(timeUs), fields: { usage_user: i } };
      });
      agent.sendBatch(encodeBatch(buildBatch(sequence, points)));
      await agent.nextAck();
    }
    const history = await ask(collector, "/api/v1/series?measurement=cpu&field=usage_user");
    expect([history.status, history.json.series.length, history.json.bucket_us > 12e6]).toEqual([200, 200, true]);
    expect((await ask(collector, "/api/v1/series?measurement=cpu&field=usage_user&bucket=12s")).status).toBe(400);
    const one = await ask(collector, "/api/v1/series?measurement=cpu&field=usage_user&tags=cpu%3Dcpu0");
    expect(one.json.bucket_us).toBe(12e6);
  });

  it("answers the default history of any number of series, long lists in pages, and compressed to who takes that", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc);
    const points = Array.from({ length: 400 }, (_, i) => ({ ...cpu(i), tags: { cpu: `cpu${String(i).padStart(3, "0")}` } }));
    agent.sendBatch(encodeBatch(buildBatch(1, points)));
    await agent.nextAck();
    const history = await ask(collector, "/api/v1/series?measurement=cpu&field=usage_user");
    expect([history.status, history.json.series.length]).toEqual([200, 400]);
    const names: string[] = [];
    let path: string | undefined = "/api/v1/series/names?measurement=cpu&limit=150";
    let pages = 0;
    while (path !== undefined) {
      const response: Response = await fetch(`http://${formatAddress(collector.http)}${path}`, {
        headers: { "accept-encoding": "gzip" },
      });
      expect(response.headers.get("content-encoding")).toBe("gzip");
      for (const { tags } of (await response.json()) as { tags: { cpu: string } }[]) names.push(tags.cpu);
      path = /<(.*)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
      pages++;
    }
    expect([pages, names]).toEqual([3, points.map(({ tags }) => tags.cpu)]);
    const whole = await fetch(`http://${formatAddress(collector.http)}/api/v1/series/names?measurement=cpu`);
    expect(whole.headers.get("transfer-encoding")).toBe("chunked");
    const all = (await whole.json()) as { tags: { cpu: string } }[];
    expect(all.map(({ tags }) => tags.cpu)).toEqual(names);
  });

  it("is documented as docs/openapi.json says, and every answer keeps to it", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc);
    const points = [
      cpu(1),
      resultRecord.toPoint(makeResult()),
      runRecord.toPoint(makeRun()),
      skippedRunRecord.toPoint(makeSkipped({ time_us: Date.now() * 1000 })),
    ];
    agent.sendBatch(encodeBatch(buildBatch(1, points)));
    await agent.nextAck();
    const id = "documented";
    const token = await readOwnerToken(directory);
    const post = async (path: string, body: object) => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
      const url = `http://${formatAddress(collector.http)}/api/v1/${path}`;
      expect((await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).status).toBe(200);
    };
    await post("campaigns", { suite: "quick", id });
    await agent.nextCommand();
    await post("baselines", { action: "pin", host: "h1", reason: "as delivered" });
    await post("silences", { matchers: { host: "h1" }, for_s: 3600, reason: "a trial" });
    await vi.waitFor(async () => expect((await ask(collector, "/api/v1/records/audit")).json).toHaveLength(3), 10_000);
    await vi.waitFor(async () => expect((await ask(collector, "/api/v1/verdicts")).json).toHaveLength(1), 10_000);
    const { json: document } = await ask(collector, "/api/v1/openapi.json");
    const checkedIn = JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"));
    expect(checkedIn, "run `make openapi`").toEqual(document);
    const queries: Record<string, string> = {
      "/api/v1/series": "?measurement=cpu&field=usage_user&tags=cpu=cpu0&tags=host=h1&from=-1h&to=now&bucket=1m&aggregate=p95",
      "/api/v1/campaigns/state": `?id=${id}`,
    };
    // Nothing is wrong here, so that nothing fires, nobody was told, and no regression was marked.
    const quiet = new Set(
      ["alerts", "records/alert", "records/notification", "records/verdict_mark"].map((each) => `/api/v1/${each}`),
    );
    const ajv = new Ajv2020({ strict: false });
    for (const [path, { get }] of Object.entries<{
      get?: { responses: Record<string, { content?: Record<string, { schema: object }> }> };
    }>(document.paths)) {
      if (get === undefined) continue;
      for (const [query, code] of [
        [queries[path] ?? "", 200],
        ["?unknown=1", 400],
      ] as const) {
        if (path === "/metrics") continue;
        const { status: found, json } = await ask(collector, path + query);
        expect([path, found]).toEqual([path, code]);
        const schema = get.responses[code].content?.["application/json"].schema;
        expect(schema).toBeDefined();
        const valid = ajv.validate(schema as object, json);
        expect(valid, `${path}${query}: ${ajv.errorsText()}`).toBe(true);
        if (code === 200 && path.startsWith("/api/v1/") && !quiet.has(path))
          expect(JSON.stringify(json).length).toBeGreaterThan(50);
      }
    }
  });
});

import { formatAddress } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { describe, expect, it, onTestFinished } from "vitest";
import { attachAgent, buildBatch, connectAgent, makeDirectory, makeHello, type TestAgent } from "../test/support.js";
import { type Collector, startCollector } from "./collector.js";
import { collectorConfigSchema } from "./config.js";

const anyPort = { listen: "127.0.0.1:0" };
const [first, second] = ["1".repeat(32), "2".repeat(32)];

async function start(directory = makeDirectory()): Promise<Collector> {
  const input = { data_dir: directory, grpc: anyPort, http: anyPort, log: { level: "silent" } };
  const collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  return collector;
}

async function readMetric(collector: Collector, name: string): Promise<string | undefined> {
  const text = await (await fetch(`http://${formatAddress(collector.http)}/metrics`)).text();
  return text
    .split("\n")
    .find((line) => line.startsWith(`fleetmark_${name}`))
    ?.split(" ")
    .at(-1);
}

async function readValues(collector: Collector, host: string): Promise<number[]> {
  const path = `/api/v1/series?measurement=cpu&field=x&host=${host}&from=-1h&to=now&bucket=1h&aggregate=count`;
  const { series } = (await (await fetch(`http://${formatAddress(collector.http)}${path}`)).json()) as {
    series: { points: [number, number][] }[];
  };
  return series.flatMap(({ points }) => points.map(([, value]) => value));
}

/** A batch of a host, by one agent of its name. */
function makeBatch(host: string, identity: string, sequence = 1, x = 1): Uint8Array {
  const points = [{ measurement: "cpu", tags: {}, timeUs: Date.now() * 1000 - 5e6, fields: { x } }];
  return encodeBatch(buildBatch(sequence, points, host), identity);
}

async function refuse(collector: Collector, changes: Parameters<typeof makeHello>[0]): Promise<string> {
  const agent: TestAgent = connectAgent(collector.grpc);
  agent.sendFrame({ case: "hello", value: makeHello(changes) });
  const { metadata } = await agent.ended;
  return String(metadata.get("fleetmark-code")[0]);
}

describe("two machines of one name", () => {
  it("are told apart: the first goes on, the second is refused and counted", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc, { identity: first, machine: first });
    expect(await refuse(collector, { identity: second, machine: second })).toBe("HOST_NAME_TAKEN");
    agent.sendBatch(makeBatch("h1", first));
    expect((await agent.nextAck()).committed).toHaveLength(1);
    expect(await readMetric(collector, "host_name_conflicts_total")).toBe("1");
  });

  it("are told apart after the first has gone, and after the collector has begun anew", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc, { identity: first, machine: first });
    agent.call.end();
    await agent.ended;
    expect(await refuse(collector, { identity: second, machine: second })).toBe("HOST_NAME_TAKEN");
    await collector.stop();
    const next = await start(directory);
    expect(await refuse(next, { identity: second, machine: second })).toBe("HOST_NAME_TAKEN");
    // Installed anew on its own machine it has its name at once.
    await attachAgent(next.grpc, { identity: "3".repeat(32), machine: first });
  });

  it("that share an identity displace each other a few times, and then the elder stays", async () => {
    const collector = await start();
    const claim = { identity: first, machine: first };
    for (let i = 0; i < 7; i++) await attachAgent(collector.grpc, claim);
    expect(await refuse(collector, claim)).toBe("HOST_NAME_TAKEN");
    expect(await readMetric(collector, "agents_attached")).toBe("1");
  });

  it("are held to nothing where they have no identity, and a false one is refused", async () => {
    const collector = await start();
    await attachAgent(collector.grpc);
    await attachAgent(collector.grpc);
    expect(await refuse(collector, { identity: "not hexadecimal" })).toBe("PROTOCOL_VIOLATION");
  });
});

describe("a host that was given another name", () => {
  it("sends what waited under the name that it was measured under", async () => {
    const collector = await start();
    const before = await attachAgent(collector.grpc, { host: "old", identity: first });
    before.call.end();
    await before.ended;
    const agent = await attachAgent(collector.grpc, { host: "new", identity: first });
    agent.sendBatch(makeBatch("old", first));
    expect((await agent.nextAck()).committed).toMatchObject([{ host: "old" }]);
    expect([await readValues(collector, "old"), await readValues(collector, "new")]).toEqual([[1], []]);
  });

  it("keeps what it measured under a name that no collector heard of", async () => {
    const collector = await start();
    const agent = await attachAgent(collector.grpc, { host: "new", identity: first });
    agent.sendBatch(makeBatch("between", first));
    expect((await agent.nextAck()).committed).toMatchObject([{ host: "between", sequence: 1n }]);
    expect([await readValues(collector, "between"), await readValues(collector, "new")]).toEqual([[1], []]);
  });

  it("may not send for a host that another agent was", async () => {
    const collector = await start();
    await attachAgent(collector.grpc, { host: "other", identity: second });
    const agent = await attachAgent(collector.grpc, { host: "new", identity: first });
    for (const identity of ["3".repeat(32), ""]) {
      agent.sendBatch(makeBatch("other", identity, identity.length + 1));
      expect((await agent.nextAck()).rejected).toMatchObject([{ code: "BATCH_FOREIGN" }]);
    }
  });

  it("sends what it measured under a name that was never its own as that of its new name", async () => {
    const collector = await start();
    await attachAgent(collector.grpc, { host: "taken", identity: second, machine: second });
    expect(await refuse(collector, { host: "taken", identity: first, machine: first })).toBe("HOST_NAME_TAKEN");
    const agent = await attachAgent(collector.grpc, { host: "free", identity: first, machine: first });
    agent.sendBatch(makeBatch("taken", first));
    expect((await agent.nextAck()).committed).toMatchObject([{ host: "taken", sequence: 1n }]);
    expect([await readValues(collector, "taken"), await readValues(collector, "free")]).toEqual([[], [1]]);
  });
});

describe("two batches of one name", () => {
  it("are told apart by their content: the second is rejected, the first again is not", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    const agent = await attachAgent(collector.grpc, { identity: first });
    const [one, other] = [makeBatch("h1", first, 1, 1), makeBatch("h1", first, 1, 2)];
    agent.sendBatch(one);
    expect((await agent.nextAck()).committed).toHaveLength(1);
    agent.sendBatch(other);
    expect((await agent.nextAck()).rejected).toMatchObject([{ id: { sequence: 1n }, code: "BATCH_ID_REUSED" }]);
    await collector.stop();
    const next = await start(directory);
    const again = await attachAgent(next.grpc, { identity: first });
    again.sendBatch(one);
    expect((await again.nextAck()).committed).toHaveLength(1);
    again.sendBatch(other);
    expect((await again.nextAck()).rejected).toMatchObject([{ code: "BATCH_ID_REUSED" }]);
    expect(await readValues(next, "h1")).toEqual([1]);
  });
});

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { formatAddress } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { describe, expect, it, onTestFinished } from "vitest";
import { attachAgent, buildBatch, makeDirectory } from "../test/support.js";
import { type Collector, startCollector } from "./collector.js";
import { collectorConfigSchema } from "./config.js";
import { listQuarantine, requestReplay, takeOutcome } from "./ingest/quarantine/contents.js";

const hourUs = 3600e6;
const anyPort = { listen: "127.0.0.1:0" };

async function start(directory: string, limits: object = {}): Promise<Collector> {
  const input = { data_dir: directory, grpc: anyPort, http: anyPort, log: { level: "silent" }, limits };
  const collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  return collector;
}

interface Answer {
  readonly series: readonly { readonly points: readonly [number, number][] }[];
  readonly troubles: readonly string[];
}

async function ask(collector: Collector, path: string): Promise<Answer> {
  return (await fetch(`http://${formatAddress(collector.http)}${path}`)).json() as Promise<Answer>;
}

async function readValues(collector: Collector, host: string): Promise<number[]> {
  const { series } = await ask(
    collector,
    `/api/v1/series?measurement=cpu&field=x&host=${host}&from=-10h&to=${inTenHours()}&bucket=1h`,
  );
  return series.flatMap(({ points }) => points.map(([, value]) => value));
}

const inTenHours = (): string => new Date(Date.now() + 10 * 3600e3).toISOString();
const nowUs = (): number => Date.now() * 1000;
const cpu = (timeUs: number) => ({ measurement: "cpu", tags: {}, timeUs, fields: { x: 1 } });
/** A batch of a host whose clock is ahead by so much, with what it says of itself. */
const send = (host: string, offsetUs: number, sequence = 1): Uint8Array => {
  const timeUs = nowUs() + offsetUs;
  const self = { measurement: "agent", tags: {}, timeUs, fields: { clock_offset_ms: offsetUs / 1e3 } };
  return encodeBatch(buildBatch(sequence, [cpu(timeUs), self], host));
};

describe("hosts that are ahead of the collector", () => {
  it("keep their batches while they are most, and are told why", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    for (const host of ["h1", "h2"]) {
      const agent = await attachAgent(collector.grpc, { host, sentUs: BigInt(nowUs() + 2 * hourUs) });
      agent.sendBatch(send(host, 2 * hourUs));
      const { details, metadata } = await agent.ended;
      expect(metadata.get("fleetmark-code")).toEqual(["CLOCK_DISPUTED"]);
      expect(details).toContain("the collector's clock is 2 h behind those of most hosts");
    }
    expect(await ask(collector, "/readyz")).toMatchObject({ troubles: [expect.stringContaining("2 h behind")] });
    expect(await readValues(collector, "h1")).toEqual([]);
    expect(await listQuarantine(directory)).toEqual([]);
  });

  it("are refused for it while they are few; what they say of themselves is stored, and the rest once its time has come", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    for (const host of ["h1", "h2"]) await attachAgent(collector.grpc, { host, sentUs: BigInt(nowUs()) });
    const agent = await attachAgent(collector.grpc, { host: "h3", sentUs: BigInt(nowUs() + 2 * hourUs) });
    agent.sendBatch(send("h3", 2 * hourUs));
    expect(await agent.nextAck()).toMatchObject({ committed: [{ sequence: 1n }], refused: [{ code: "TIME_AHEAD", samples: 1 }] });
    const told = await ask(collector, "/api/v1/series?measurement=agent&field=clock_offset_ms&host=h3&from=-1m&to=now&bucket=1m");
    expect(told.series[0].points.map(([, value]) => value)).toEqual([7_200_000]);
    await collector.stop();

    const later = await start(directory, { time_ahead: "3h" });
    for (const entry of await listQuarantine(directory)) {
      expect(entry).toMatchObject({ code: "TIME_AHEAD", host: "h3", kind: "samples" });
      await requestReplay(directory, entry);
      await expect
        .poll(() => takeOutcome(directory, entry.file), { timeout: 10_000 })
        .toMatchObject({ fate: "stored", refused: {} });
    }
    expect(await readValues(later, "h3")).toEqual([1]);
    expect(readdirSync(join(directory, "quarantine", "replay"))).toEqual([]);
  });
});

describe("what is taken in again", () => {
  it("is stored once, however often the batch that it came in was sent", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    await attachAgent(collector.grpc, { host: "h1", sentUs: BigInt(nowUs()) });
    const agent = await attachAgent(collector.grpc, { host: "h2", sentUs: BigInt(nowUs()) });
    const bytes = send("h2", 2 * hourUs);
    for (let i = 0; i < 2; i++) {
      agent.sendBatch(bytes);
      await agent.nextAck();
    }
    await collector.stop();
    const later = await start(directory, { time_ahead: "3h" });
    const entries = await listQuarantine(directory);
    expect(entries).toHaveLength(2);
    for (const entry of entries) await requestReplay(directory, entry);
    await expect
      .poll(() => readdirSync(join(directory, "quarantine", "replay")).sort(), { timeout: 10_000 })
      .toEqual(entries.map(({ file }) => `${file}.outcome`).sort());
    const { series } = await ask(
      later,
      `/api/v1/series?measurement=cpu&field=x&host=h2&from=-10h&to=${inTenHours()}&bucket=1h&aggregate=count`,
    );
    expect(series[0].points.map(([, count]) => count)).toEqual([1]);
  });

  it("goes back with its new reason where it is refused again", async () => {
    const directory = makeDirectory();
    const collector = await start(directory);
    await attachAgent(collector.grpc, { host: "h1", sentUs: BigInt(nowUs()) });
    const agent = await attachAgent(collector.grpc, { host: "h2", sentUs: BigInt(nowUs()) });
    agent.sendBatch(send("h2", 2 * hourUs));
    await agent.nextAck();
    const [entry] = await listQuarantine(directory);
    await requestReplay(directory, entry);
    await expect
      .poll(() => takeOutcome(directory, entry.file), { timeout: 10_000 })
      .toMatchObject({
        fate: "stored",
        refused: { TIME_AHEAD: 1 },
      });
    expect(await listQuarantine(directory)).toMatchObject([{ code: "TIME_AHEAD", host: "h2", isWaiting: false }]);
  });
});

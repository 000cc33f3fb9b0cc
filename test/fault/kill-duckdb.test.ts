import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { parseAddress } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { attachAgent, buildBatch, makeDirectory } from "../../collector/test/support.js";

/** Starts the built collector in a process of its own. */
async function spawnCollector(directory: string) {
  const script = `
    import { collectorConfigSchema, startCollector } from ${JSON.stringify(new URL("../../collector/dist/index.js", import.meta.url).href)};
    const anyPort = { listen: "127.0.0.1:0" };
    const config = { data_dir: process.argv[1], grpc: anyPort, http: anyPort, log: { level: "error" } };
    const { grpc } = await startCollector(collectorConfigSchema.parse(config));
    console.log(grpc.host + ":" + grpc.port);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = await once(createInterface(child.stdout), "line");
  const address = parseAddress(line);
  if (address === undefined) throw new Error(`no address: ${line}`);
  return { child, address };
}

const samplesPerBatch = 20_000;
const startUs = Date.now() * 1000 - 3600e6;

/**
 * A batch whose samples tell its sequence: large, so that kills hit commits, and some of them the checkpoint at 16 MB
 * of log.
 */
function buildNumbered(sequence: number): Uint8Array {
  const points = Array.from({ length: samplesPerBatch }, (_, i) => {
    return { measurement: "load", tags: {}, timeUs: startUs + sequence, fields: { value: i } };
  });
  return encodeBatch(buildBatch(sequence, points));
}

it("has stored each acknowledged batch exactly once, and no part of any other, after kill -9 in mid write", async () => {
  const directory = makeDirectory();
  const acknowledged = new Set<number>();
  let sent = 0;
  for (const killAfter of [1, 14, 35]) {
    const { child, address } = await spawnCollector(directory);
    const agent = await attachAgent(address);
    // First, as an agent does, what was not acknowledged before the kill; and the last that was, as if its
    // acknowledgement had been lost.
    const newest = Math.max(0, ...acknowledged);
    for (let sequence = 1; sequence <= sent; sequence++) {
      if (!acknowledged.has(sequence) || sequence === newest) agent.sendBatch(buildNumbered(sequence));
    }
    for (let i = 0; i < killAfter + 10; i++) agent.sendBatch(buildNumbered(++sent));
    for (let heard = 0; heard < killAfter; ) {
      for (const { sequence } of (await agent.nextAck()).committed) {
        acknowledged.add(Number(sequence));
        heard++;
      }
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    // Acknowledgements that were on their way when it died count as well.
    for (let ack = await agent.nextAck().catch(() => undefined); ack; ack = await agent.nextAck().catch(() => undefined)) {
      for (const { sequence } of ack.committed) acknowledged.add(Number(sequence));
    }
  }
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  const query = {
    measurement: "load",
    field: "value",
    tags: {},
    fromUs: startUs,
    toUs: startUs + 1e6,
    bucketUs: 1,
    maxPoints: 1e6,
  };
  const [{ points }] = await store.history({ ...query, aggregate: "count" });
  const stored = points.map(([timeUs]) => timeUs - startUs);
  expect(stored).toEqual(expect.arrayContaining([...acknowledged]));
  for (const [, samples] of points) expect(samples).toBe(samplesPerBatch);
});

import { formatAddress } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { expect, it, onTestFinished, vi } from "vitest";
import { attachAgent, buildBatch, makeDirectory } from "../../test/support.js";
import { type Collector, startCollector } from "../collector.js";
import { collectorConfigSchema } from "../config.js";

/** A collector over real gRPC. */
async function start(): Promise<Collector> {
  const anyPort = { listen: "127.0.0.1:0" };
  const input = { data_dir: makeDirectory(), grpc: anyPort, http: anyPort, log: { level: "silent" } };
  const collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  return collector;
}

async function readRefused(collector: Collector): Promise<number> {
  const text = await (await fetch(`http://${formatAddress(collector.http)}/metrics`)).text();
  return Number(/^fleetmark_command_results_refused_total (\d+)/m.exec(text)?.[1]);
}

const request = { name: "start_run", arguments: { suite: "quick" }, timeout: 20 };

it("sends a command, and gives what the agent did", async () => {
  const collector = await start();
  const agent = await attachAgent(collector.grpc);
  const beforeUs = Date.now() * 1000;
  const outcome = collector.commands.send("h1", request);
  const { id, name, argumentsJson, expiresUs } = await agent.nextCommand();
  expect([name, argumentsJson]).toEqual(["start_run", '{"suite":"quick"}']);
  expect(Number(expiresUs)).toBeGreaterThanOrEqual(beforeUs + 20e6);
  expect(Number(expiresUs)).toBeLessThanOrEqual(Date.now() * 1000 + 20e6);
  agent.sendResult(id, { resultJson: '{"run":"r1"}' });
  expect(await outcome).toEqual({ done: true, result: { run: "r1" } });
});

it("gives why the agent could not do it", async () => {
  const collector = await start();
  const agent = await attachAgent(collector.grpc);
  const outcomes = [collector.commands.send("h1", request), collector.commands.send("h1", request)];
  const ids = [(await agent.nextCommand()).id, (await agent.nextCommand()).id];
  // The results may come in any order.
  agent.sendResult(ids[1], { done: false, code: "toString", message: "of a later version" });
  agent.sendResult(ids[0], { done: false, code: "BENCHMARK_UNKNOWN", message: "no suite quick" });
  expect(await Promise.all(outcomes)).toEqual([
    { done: false, code: "BENCHMARK_UNKNOWN", message: "no suite quick" },
    { done: false, code: "COMMAND_FAILED", message: "of a later version" },
  ]);
});

it("sends no command to a host that is not there, nor more than a host may have to answer", async () => {
  const collector = await start();
  const { commands } = collector;
  await expect(commands.send("h1", request)).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
  const agent = await attachAgent(collector.grpc);
  await expect(commands.send("h1", { ...request, timeout: 0 })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  const outcomes = Array.from({ length: 16 }, () => commands.send("h1", request));
  await expect(commands.send("h1", request)).rejects.toMatchObject({ code: "COMMANDS_TOO_MANY" });
  agent.sendResult((await agent.nextCommand()).id);
  await outcomes[0];
  outcomes[0] = commands.send("h1", request);
  const ended = Promise.allSettled(outcomes);
  agent.call.end();
  await agent.ended;
  await expect(commands.send("h1", request)).rejects.toMatchObject({ code: "HOST_ABSENT" });
  await collector.stop();
  await expect(commands.send("h1", request)).rejects.toMatchObject({ code: "COLLECTOR_UNREACHABLE" });
  expect(await ended).toEqual(
    Array(16).fill({ status: "rejected", reason: expect.objectContaining({ code: "COLLECTOR_UNREACHABLE" }) }),
  );
});

it("gives up when no result comes in time, and lets be one that comes late", async () => {
  const collector = await start();
  const agent = await attachAgent(collector.grpc);
  const outcome = collector.commands.send("h1", { ...request, timeout: 1 });
  await expect(outcome).rejects.toMatchObject({ code: "COMMAND_TIMED_OUT", message: expect.stringContaining("start_run") });
  agent.sendResult((await agent.nextCommand()).id);
  agent.sendBatch(encodeBatch(buildBatch(1, [])));
  await agent.nextAck();
  expect(await readRefused(collector)).toBe(0);
});

it("sends a command again, under its id, to a host that attaches anew before it is answered", async () => {
  const collector = await start();
  const elder = await attachAgent(collector.grpc);
  const gone = collector.commands.send("h1", { ...request, timeout: 1 });
  await expect(gone).rejects.toMatchObject({ code: "COMMAND_TIMED_OUT" });
  const outcome = collector.commands.send("h1", request);
  await elder.nextCommand();
  const { id } = await elder.nextCommand();
  elder.call.cancel();
  await elder.ended;
  const newer = await attachAgent(collector.grpc);
  // What is past its time is not sent again.
  expect((await newer.nextCommand()).id).toBe(id);
  // An agent that did it on the stream before, and answers twice.
  newer.sendResult(id);
  newer.sendResult(id);
  expect(await outcome).toEqual({ done: true, result: {} });
  newer.sendBatch(encodeBatch(buildBatch(1, [])));
  await newer.nextAck();
  expect(await readRefused(collector)).toBe(0);
});

it("refuses and counts the result of a host that was not asked, and one that makes no sense", async () => {
  const collector = await start();
  const asked = await attachAgent(collector.grpc);
  const stranger = await attachAgent(collector.grpc, { host: "h2" });
  const outcome = collector.commands.send("h1", request);
  const { id } = await asked.nextCommand();
  stranger.sendResult(id);
  stranger.sendResult("nothing");
  await vi.waitFor(async () => expect(await readRefused(collector)).toBe(2));
  // The stranger's stream goes on.
  stranger.sendBatch(encodeBatch(buildBatch(1, [], "h2")));
  await stranger.nextAck();
  asked.sendResult(id, { resultJson: "[1]" });
  await expect(outcome).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION" });
  expect(await readRefused(collector)).toBe(3);
});

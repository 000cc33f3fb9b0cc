import { formatAddress } from "@fleetmark/shared/model/units";
import { commandRecord } from "@fleetmark/shared/records/command";
import { runRecord } from "@fleetmark/shared/records/run";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeCommandRecord, makeRun, makeSkipped } from "../../../shared/test/records.js";
import { attachAgent, buildBatch, makeDirectory } from "../../test/support.js";
import { readOwnerToken } from "../access/owner-token.js";
import { type Collector, startCollector } from "../collector.js";
import { collectorConfigSchema } from "../config.js";

async function start(directory: string): Promise<Collector> {
  const anyPort = { listen: "127.0.0.1:0" };
  const input = { data_dir: directory, name: "c", grpc: anyPort, http: anyPort, log: { level: "silent" } };
  const collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  return collector;
}

async function setUp(directory = makeDirectory()) {
  const collector = await start(directory);
  const url = `http://${formatAddress(collector.http)}/api/v1`;
  const token = await readOwnerToken(directory);
  const post = async (path: string, body: unknown, authorization: string | null = `Bearer ${token}`) => {
    const headers = { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) };
    const answer = await fetch(`${url}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };
  const read = async (path: string) => (await (await fetch(`${url}/${path}`)).json()) as Record<string, unknown>[];
  const readState = async (id: string) =>
    (await (await fetch(`${url}/campaigns/state?id=${id}`)).json()) as Record<string, unknown>;
  return { collector, directory, post, read, readState };
}

const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 15_000, interval: 50 });

describe("a command", () => {
  it("is recorded as asked before it is sent, with who asked", async () => {
    const { collector, post, read } = await setUp();
    const agent = await attachAgent(collector.grpc);
    const answering = post("commands", { host: "h1", command: "set_log_level", arguments: { level: "debug" } });
    const { id, name } = await agent.nextCommand();
    expect(name).toBe("set_log_level");
    expect(await read("records/command")).toMatchObject([{ id, state: "asked", by: "owner", arguments: { level: "debug" } }]);
    agent.sendResult(id, { resultJson: '{"before":"info"}' });
    expect(await answering).toEqual({
      status: 200,
      json: { host: "h1", done: true, code: "", message: "", result: { before: "info" } },
    });
    await eventually(async () => {
      expect(await read("records/audit")).toMatchObject([{ by: "owner", action: "postCommands", outcome: "done", status: 200 }]);
    });
  });

  it("that a collector did not live to hear of is sent again by the next, under its id", async () => {
    const { collector, directory, post } = await setUp();
    const agent = await attachAgent(collector.grpc);
    void post("commands", { host: "h1", command: "tell_inventory", timeout_s: 25 }).catch(() => {});
    const { id } = await agent.nextCommand();
    await collector.stop();
    const next = await setUp(directory);
    const again = await attachAgent(next.collector.grpc);
    expect((await again.nextCommand()).id).toBe(id);
    again.sendResult(id);
    // The agent's own record is the last word: a third collector has nothing left to send.
    const done = makeCommandRecord({ id, command: "tell_inventory", state: "done", time_us: Date.now() * 1000 });
    again.sendBatch(encodeBatch(buildBatch(1, [commandRecord.toPoint(done)])));
    await again.nextAck();
    await next.collector.stop();
    const third = await setUp(directory);
    const late = await attachAgent(third.collector.grpc);
    const other = third.post("commands", { host: "h1", command: "cancel_run" });
    const command = await late.nextCommand();
    expect(command.name).toBe("cancel_run");
    late.sendResult(command.id);
    expect((await other).status).toBe(200);
  });

  it("is refused to whoever may not, and to hosts that are not there", async () => {
    const { collector, post, read } = await setUp();
    const order = { host: "h1", command: "cancel_run" };
    expect(await post("commands", order, null)).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    expect(await post("commands", order, "Bearer fm_wrong")).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    expect(await post("commands", order)).toMatchObject({ status: 404, json: { code: "HOST_UNKNOWN" } });
    const agent = await attachAgent(collector.grpc);
    agent.call.end();
    await agent.ended;
    expect(await post("commands", order)).toMatchObject({ status: 409, json: { code: "HOST_ABSENT" } });
    await eventually(async () => {
      const outcomes = (await read("records/audit")).map(({ by, outcome }) => `${by} ${outcome}`).sort();
      expect(outcomes).toEqual(["nobody forbidden", "nobody forbidden", "owner failed", "owner failed"]);
    });
  });
});

/** What an agent records of a run that a command asked for. */
function recordRun(command: string, changes: Parameters<typeof makeRun>[0] = {}) {
  return runRecord.toPoint(makeRun({ command, trigger: "command", time_us: Date.now() * 1000, ...changes }));
}

describe("a campaign", () => {
  it("asks its hosts, some at a time, and says what became of each", async () => {
    const { collector, post, readState } = await setUp();
    const [one, two, three] = [
      await attachAgent(collector.grpc, { host: "gpu-1" }),
      await attachAgent(collector.grpc, { host: "gpu-2" }),
      await attachAgent(collector.grpc, { host: "gpu-3" }),
    ];
    await attachAgent(collector.grpc, { host: "cpu-1" });
    const { status, json } = await post("campaigns", { suite: "quick", hosts: ["gpu-*"], at_most: 2 });
    expect(status).toBe(200);
    expect(json).toMatchObject({ total: 3, state: "running", by: "owner", suite: "quick" });
    const id = String(json.id);
    const first = await one.nextCommand();
    const second = await two.nextCommand();
    expect(JSON.parse(first.argumentsJson)).toEqual({ suite: "quick", patience_s: 3600, at_once: false });
    one.sendResult(first.id, { resultJson: '{"run":"r1"}' });
    two.sendResult(second.id, { done: false, code: "COMMAND_FORBIDDEN", message: "not here" });
    // A place is free as soon as one is refused.
    const third = await three.nextCommand();
    three.sendResult(third.id, { resultJson: '{"run":"r3"}' });
    await eventually(async () => expect(await readState(id)).toMatchObject({ counts: { taken: 2, refused: 1 } }));
    one.sendBatch(encodeBatch(buildBatch(1, [recordRun(first.id, { run: "r1", host: "gpu-1" })], "gpu-1")));
    const skipped = makeSkipped({ run: "r3", command: third.id, host: "gpu-3", time_us: Date.now() * 1000 });
    three.sendBatch(encodeBatch(buildBatch(1, [skippedRunRecord.toPoint(skipped)], "gpu-3")));
    await eventually(async () => expect(await readState(id)).toMatchObject({ state: "ended" }));
    expect((await readState(id)).on_hosts).toMatchObject([
      { host: "gpu-1", state: "finished", run: "r1" },
      { host: "gpu-2", state: "refused", reason: "COMMAND_FORBIDDEN: not here" },
      { host: "gpu-3", state: "skipped", reason: skipped.reason },
    ]);
  });

  it("goes on when its collector is started anew, asks nobody twice, and hears of runs that ended meanwhile", async () => {
    const { collector, directory, post } = await setUp();
    const agents = [];
    for (const host of ["a", "b"]) agents.push(await attachAgent(collector.grpc, { host }));
    const { json } = await post("campaigns", { suite: "quick", at_most: 1, ttl_s: 600 });
    const id = String(json.id);
    const asked = await agents[0].nextCommand();
    agents[0].sendResult(asked.id, { resultJson: '{"run":"r1"}' });
    const points = [
      commandRecord.toPoint(
        makeCommandRecord({ id: asked.id, state: "done", result: { run: "r1" }, time_us: Date.now() * 1000 }),
      ),
      recordRun(asked.id, { run: "r1", host: "a" }),
    ];
    await collector.stop();
    const next = await setUp(directory);
    const [a, b] = [await attachAgent(next.collector.grpc, { host: "a" }), await attachAgent(next.collector.grpc, { host: "b" })];
    // It may not have heard the answer before it ended; then it asks again under the same id.
    a.sendBatch(encodeBatch(buildBatch(1, points, "a")));
    const second = await b.nextCommand();
    expect(second.id).not.toBe(asked.id);
    await eventually(async () => expect(await next.readState(id)).toMatchObject({ counts: { finished: 1, asked: 1 } }));
    expect(await next.post("campaigns/cancel", { id })).toMatchObject({ status: 200, json: { state: "cancelled" } });
    const off = await b.nextCommand();
    expect([off.name, JSON.parse(off.argumentsJson).commands]).toEqual(["cancel_run", [second.id]]);
    await next.collector.stop();
    // What has ended stays known, and is not begun again.
    expect(await (await setUp(directory)).readState(id)).toMatchObject({
      state: "cancelled",
      counts: { finished: 1, cancelled: 1 },
    });
  });

  it("is asked once, however often it is asked under an id", async () => {
    const { collector, post, read } = await setUp();
    const agent = await attachAgent(collector.grpc);
    const order = { suite: "quick", id: "weekly-2026-48" };
    // Two at once are one, too.
    const answers = await Promise.all([post("campaigns", order), post("campaigns", order)]);
    expect(answers.map(({ json }) => json.id)).toEqual(["weekly-2026-48", "weekly-2026-48"]);
    const { id } = await agent.nextCommand();
    agent.sendResult(id, { resultJson: '{"run":"r1"}' });
    expect((await post("campaigns", order)).json).toMatchObject({ total: 1 });
    expect((await read("records/command")).filter(({ state }) => state === "asked")).toHaveLength(1);
    expect((await read("records/campaign")).filter(({ state }) => state === "running")).toHaveLength(1);
  });

  it("for hosts that are away waits for as long as it says, and takes no place for them", async () => {
    const { collector, post, readState } = await setUp();
    const gone = await attachAgent(collector.grpc, { host: "gone" });
    const here = await attachAgent(collector.grpc, { host: "here" });
    gone.call.end();
    await gone.ended;
    const { json } = await post("campaigns", { suite: "quick", at_most: 1, ttl_s: 1 });
    const { id } = await here.nextCommand();
    here.sendResult(id, { done: false, code: "BENCHMARK_UNKNOWN", message: "no such suite" });
    await eventually(async () =>
      expect(await readState(String(json.id))).toMatchObject({ state: "ended", counts: { away: 1, refused: 1 } }),
    );
  });

  it.each([
    [{ suite: "quick", hosts: ["nowhere-*"] }, 404, "HOST_UNKNOWN"],
    [{ suite: "" }, 400, "REQUEST_INVALID"],
    [{ hosts: ["*"] }, 400, "REQUEST_INVALID"],
    [{ suite: "quick", at_most: 0 }, 400, "REQUEST_INVALID"],
    [{ suite: "quick", script: "rm" }, 400, "REQUEST_INVALID"],
  ])("%j is refused", async (order, status, code) => {
    const { post } = await setUp();
    expect(await post("campaigns", order)).toMatchObject({ status, json: { code } });
  });
});

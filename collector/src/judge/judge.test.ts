import { formatAddress } from "@fleetmark/shared/model/units";
import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { attachAgent, buildBatch, makeDirectory, makeResult, makeRun, type TestAgent } from "../../test/support.js";
import { readOwnerToken } from "../access/owner-token.js";
import { type Collector, startCollector } from "../collector.js";
import { collectorConfigSchema } from "../config.js";

const dayUs = 86_400e6;
const nowUs = Date.now() * 1000;

async function setUp(directory = makeDirectory()) {
  const anyPort = { listen: "127.0.0.1:0" };
  const input = { data_dir: directory, name: "c", grpc: anyPort, http: anyPort, log: { level: "silent" } };
  const collector: Collector = await startCollector(collectorConfigSchema.parse(input));
  onTestFinished(() => collector.stop());
  const url = `http://${formatAddress(collector.http)}/api/v1`;
  const headers = { "content-type": "application/json", authorization: `Bearer ${await readOwnerToken(directory)}` };
  const read = async <R>(path: string) => (await (await fetch(`${url}/${path}`)).json()) as R[];
  const post = async (body: unknown, path = "baselines") => {
    const answer = await fetch(`${url}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, json: (await answer.json()) as BaselineRecord[] & { code?: string } };
  };
  return { collector, read, post, directory };
}

/** A day's run of one benchmark, so many days ago. */
function makeDay(daysAgo: number, median: number, fingerprint: Record<string, string> = { kernel: "6.1" }) {
  const time_us = Math.round(nowUs - daysAgo * dayUs);
  const run = `day-${daysAgo}`;
  const result = makeResult({ run, time_us, median, run_spread: 0.004, process_runs: 6, metadata: { reference_work_us: 20 } });
  return [
    resultRecord.toPoint(result),
    runRecord.toPoint(makeRun({ run, time_us: time_us + 1, started_us: time_us - 1e6, fingerprint })),
  ];
}

let sequence = 0;
async function send(agent: TestAgent, ...days: readonly ReturnType<typeof makeDay>[]): Promise<void> {
  return sendOf(agent, "h1", days);
}

async function sendOf(agent: TestAgent, host: string, days: readonly ReturnType<typeof makeDay>[]): Promise<void> {
  for (const day of days) {
    agent.sendBatch(encodeBatch(buildBatch(++sequence, day, host, nowUs)));
    await agent.nextAck();
  }
}

/** Days whose levels differ by half a percent. */
const quietDays = (from: number, to: number, level: number) =>
  Array.from({ length: from - to + 1 }, (_, i) => makeDay(from - i, level * (1 + 0.005 * (((i * 7) % 5) - 2))));

async function awaitVerdict(read: <R>(path: string) => Promise<R[]>, run: string): Promise<VerdictRecord> {
  return vi.waitFor(
    async () => {
      const [found] = await read<VerdictRecord>(`records/verdict?run=${run}`);
      expect(found).toBeDefined();
      return found as VerdictRecord;
    },
    { timeout: 20_000, interval: 50 },
  );
}

describe("what was committed", () => {
  it("is judged by what came before, and keeps its verdict", async () => {
    const { collector, read } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, ...quietDays(12, 2, 1e-3), makeDay(1, 1.2e-3));
    const slow = await awaitVerdict(read, "day-1");
    expect(slow).toMatchObject({ verdict: "regressed", severity: "medium", baseline: "rolling", cause: "unknown" });
    expect(slow.time_us).toBe(Math.round(nowUs - dayUs));
    expect((await read<VerdictRecord>("verdicts?verdict=regressed")).map(({ run }) => run)).toEqual(["day-1"]);
    expect((await read<VerdictRecord>("records/verdict?limit=1000")).length).toBe(12);
  });

  it("by a collector that ended before it judged is judged by the next, once", async () => {
    const first = await setUp();
    const agent = await attachAgent(first.collector.grpc);
    await send(agent, ...quietDays(6, 1, 1e-3));
    await first.collector.stop();
    const second = await setUp(first.directory);
    await awaitVerdict(second.read, "day-1");
    await second.collector.stop();
    const third = await setUp(first.directory);
    await awaitVerdict(third.read, "day-6");
    expect((await third.read<VerdictRecord>("records/verdict?limit=1000")).length).toBe(6);
  });

  it("names an upgrade of the host that came with it", async () => {
    const { collector, read } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, ...quietDays(12, 2, 1e-3), makeDay(1, 1.2e-3, { kernel: "6.1", nvidia_driver: "560" }));
    expect((await awaitVerdict(read, "day-1")).cause).toBe("unknown");
    await send(agent, makeDay(0.5, 1.2e-3, { kernel: "6.2" }));
    expect(await awaitVerdict(read, "day-0.5")).toMatchObject({ cause: "environment", why: "changed since: kernel 6.1 -> 6.2" });
  });

  it("is explained by its class where other hosts became slower too", async () => {
    const { collector, read } = await setUp();
    for (const host of ["h1", "h2", "h3", "h4"]) {
      const agent = await attachAgent(collector.grpc, { host });
      await sendOf(agent, host, [...quietDays(6, 2, 1e-3), makeDay(1, 1.2e-3)]);
      await vi.waitFor(async () => expect(await read(`records/verdict?run=day-1&host=${host}`)).toHaveLength(1), 20_000);
    }
    const [last] = await read<VerdictRecord>("records/verdict?run=day-1&host=h4");
    const why = "3 of 3 other hosts of its class became slower too, as software makes them";
    expect(last).toMatchObject({ verdict: "regressed", cause: "class", why });
  });
});

describe("a baseline", () => {
  it("is pinned, let go of, and a level accepted, by whom and why", async () => {
    const { collector, read, post } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, ...quietDays(20, 12, 1e-3), ...quietDays(11, 2, 1.2e-3));
    expect(await awaitVerdict(read, "day-2")).toMatchObject({ verdict: "regressed", since_us: Math.round(nowUs - 11 * dayUs) });

    const accepted = await post({ action: "accept", host: "h1", reason: "the new compiler" });
    expect(accepted.json).toMatchObject([{ action: "accept", by: "owner", reason: "the new compiler" }]);
    expect(accepted.json[0]?.accepted_us).toBe(Math.round(nowUs - 11 * dayUs));
    await send(agent, makeDay(1, 1.2e-3));
    expect(await awaitVerdict(read, "day-1")).toMatchObject({ verdict: "unchanged", baseline: "rolling" });

    const pinned = await post({ action: "pin", host: "h1", run: "day-20", reason: "before the compiler" });
    expect(pinned.json).toMatchObject([{ pinned_result: { run: "day-20" }, accepted_us: accepted.json[0]?.accepted_us }]);
    await send(agent, makeDay(0.5, 1.2e-3));
    expect(await awaitVerdict(read, "day-0.5")).toMatchObject({ verdict: "regressed", baseline: "pinned" });

    await post({ action: "unpin", host: "h1", reason: "done" });
    expect(await read<BaselineRecord>("baselines")).toMatchObject([{ action: "unpin", reason: "done" }]);
    await send(agent, makeDay(0.25, 1.2e-3));
    expect(await awaitVerdict(read, "day-0.25")).toMatchObject({ verdict: "unchanged", baseline: "rolling" });
    expect((await post({ action: "unpin", host: "h1", reason: "again" })).json).toEqual([]);
  });

  it("of what is not known is refused with what is near", async () => {
    const { collector, post } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, makeDay(1, 1e-3));
    const refused = async (order: object) => (await post({ action: "pin", host: "h1", reason: "x", ...order })).json.code;
    expect(await refused({ host: "h9" })).toBe("HOST_UNKNOWN");
    expect(await refused({ run: "nope" })).toBe("RUN_UNKNOWN");
    expect(await refused({ name: "policy_forwrd" })).toBe("BENCHMARK_UNKNOWN");
    expect(await refused({ reason: "" })).toBe("REQUEST_INVALID");
  });
});

describe("what is said of a verdict", () => {
  it("is kept with who and why, and makes the next be judged more carefully", async () => {
    const { collector, read, post } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, ...quietDays(12, 2, 1e-3), makeDay(1, 1.2e-3));
    expect(await awaitVerdict(read, "day-1")).toMatchObject({ verdict: "regressed", lasted: 1, caution: 1 });
    const mark = await post({ mark: "false", host: "h1", reason: "a backup ran beside it" }, "verdict-marks");
    expect(mark.json).toMatchObject([{ mark: "false", run: "day-1", by: "owner", reason: "a backup ran beside it" }]);
    await send(agent, makeDay(0, 1.2e-3));
    expect(await awaitVerdict(read, "day-0")).toMatchObject({ verdict: "regressed", caution: expect.closeTo(0.5, 1) });
  });

  it("is refused where nothing was called slower, or nothing is known by that name", async () => {
    const { collector, read, post } = await setUp();
    const agent = await attachAgent(collector.grpc);
    await send(agent, ...quietDays(5, 1, 1e-3));
    await awaitVerdict(read, "day-1");
    const refused = async (order: object) =>
      (await post({ mark: "false", host: "h1", reason: "x", ...order }, "verdict-marks")).json.code;
    expect(await refused({})).toBe("REQUEST_INVALID");
    expect(await refused({ host: "h9" })).toBe("HOST_UNKNOWN");
    expect(await refused({ run: "nope" })).toBe("RUN_UNKNOWN");
    expect(await refused({ name: "policy_forwrd" })).toBe("BENCHMARK_UNKNOWN");
    expect(await refused({ mark: "maybe" })).toBe("REQUEST_INVALID");
  });
});

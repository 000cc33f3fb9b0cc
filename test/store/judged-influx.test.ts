import { formatAddress } from "@fleetmark/shared/model/units";
import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { readOwnerToken } from "#collector/access/owner-token.js";
import { type Collector, startCollector } from "#collector/collector.js";
import { collectorConfigSchema } from "#collector/config.js";
import { attachAgent, buildBatch, makeResult, makeRun, type TestAgent } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

const dayUs = 86_400e6;
const nowUs = Date.now() * 1000;

describeInflux("judging on an InfluxDB", () => {
  const folder = makeFolder();
  let bed: InfluxBed;
  let collector: Collector;
  let agent: TestAgent;
  let sequence = 0;

  beforeAll(async () => {
    bed = await openInfluxBed();
    const { url, database, org } = await bed.makeDatabase();
    const anyPort = { listen: "127.0.0.1:0" };
    const store = { kind: "influxdb", url, database, org };
    const input = { data_dir: folder.path, name: "c", grpc: anyPort, http: anyPort, store, log: { level: "silent" } };
    collector = await startCollector(collectorConfigSchema.parse(input));
  }, 60_000);
  afterAll(async () => {
    await collector?.stop();
    await bed?.remove();
    folder.remove();
  });

  /** Sends the run of a day, and waits until it was judged. */
  async function judge(daysAgo: number, median: number, fingerprint: Record<string, string>): Promise<VerdictRecord> {
    const [run, time_us] = [`day-${daysAgo}`, Math.round(nowUs - daysAgo * dayUs)];
    const result = makeResult({ run, time_us, median, run_spread: 0.004, process_runs: 6, metadata: {} });
    const ended = makeRun({ run, time_us: time_us + 1, started_us: time_us - 1e6, fingerprint });
    agent.sendBatch(encodeBatch(buildBatch(++sequence, [resultRecord.toPoint(result), runRecord.toPoint(ended)], "h1", nowUs)));
    await agent.nextAck();
    return vi.waitFor(
      async () => {
        const [found] = await read<VerdictRecord>(`records/verdict?run=${run}`);
        expect(found).toBeDefined();
        return found as VerdictRecord;
      },
      { timeout: 20_000, interval: 50 },
    );
  }

  const url = (path: string): string => `http://${formatAddress(collector.http)}/api/v1/${path}`;
  const read = async <R>(path: string) => (await (await fetch(url(path))).json()) as R[];
  const decide = async (body: object): Promise<BaselineRecord[]> => {
    const authorization = `Bearer ${await readOwnerToken(folder.path)}`;
    const headers = { "content-type": "application/json", authorization };
    return (await (
      await fetch(url("baselines"), { method: "POST", headers, body: JSON.stringify(body) })
    ).json()) as BaselineRecord[];
  };

  it("finds a regression, what changed with it, and what people decide of it", async () => {
    agent = await attachAgent(collector.grpc);
    const old = { kernel: "6.1" };
    for (let day = 10; day >= 2; day--) await judge(day, 1e-3 * (1 + 0.004 * ((day % 3) - 1)), old);
    const slow = await judge(1, 1.2e-3, { kernel: "6.2" });
    expect(slow).toMatchObject({ verdict: "regressed", cause: "environment", why: "changed since: kernel 6.1 -> 6.2" });
    expect((await read<VerdictRecord>("verdicts?verdict=regressed")).map(({ run }) => run)).toEqual(["day-1"]);

    expect(await decide({ action: "accept", host: "h1", reason: "the new kernel" })).toMatchObject([{ by: "owner" }]);
    expect((await judge(0.9, 1.2e-3, { kernel: "6.2" })).verdict).not.toBe("regressed");
    await decide({ action: "pin", host: "h1", run: "day-10", reason: "as delivered" });
    expect((await read<BaselineRecord>("baselines"))[0]?.pinned_result).toMatchObject({ run: "day-10", metadata: {} });
    expect(await judge(0.8, 1.2e-3, { kernel: "6.2" })).toMatchObject({ verdict: "regressed", baseline: "pinned" });
  }, 120_000);
});

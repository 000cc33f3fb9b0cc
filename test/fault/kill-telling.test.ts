import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { attachAgent, buildBatch, makeResult } from "../../collector/test/support.js";
import { askHttp } from "../testbed/answers.js";
import { makeFolder, type Program, startDaemon } from "../testbed/program.js";

/**
 * A collector that is killed around every message: each alert is told at least once, and twice only where the kill lay
 * between the message and its record.
 */

type Collector = Program & { facts: { grpc: Address; http: Address } };

/** When the collector is killed. */
const moments = ["as the result is stored", "as the message arrives", "as it was answered", "half a second later"] as const;
type Moment = (typeof moments)[number];

const rounds = Number(process.env.KILLS ?? moments.length);
const folder = makeFolder();
/** Which groups were told of, in order. */
const told: string[] = [];
let onMessage: (answer: () => void) => void = (answer) => answer();
const webhook = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    told.push((JSON.parse(body) as { group: string }).group);
    onMessage(() => response.end());
  });
});
let collector: Collector;
let environment: Record<string, string>;
let sequence = 0;

async function start(): Promise<void> {
  const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  collector = await startDaemon(["collector", "--name", "c", "--data-dir", folder.path, ...listen], { environment });
}

function kill(): void {
  collector.process.kill("SIGKILL");
}

/** Sends a result that is past its alert threshold, of a class of its own, so that it is a message of its own. */
async function breach(round: number): Promise<void> {
  const host = `h${round}`;
  const agent = await attachAgent(collector.facts.grpc, { host });
  const time_us = Date.now() * 1000;
  const result = makeResult({ host, hw_class: `c${round}`, median: 5e-3, median_low: 5e-3, median_high: 5e-3, time_us });
  agent.sendBatch(encodeBatch(buildBatch(++sequence, [resultRecord.toPoint(result)], host, time_us)));
  await agent.nextAck();
}

beforeAll(async () => {
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const { port } = webhook.address() as AddressInfo;
  environment = {
    FLEETMARK_ALERTS_SINKS: JSON.stringify([{ kind: "webhook", url: `http://127.0.0.1:${port}/`, severity: "critical" }]),
    FLEETMARK_ALERTS_EVERY: "1s",
    FLEETMARK_ALERTS_WAIT: "0s",
    FLEETMARK_ALERTS_IGNORE: "Disk*,Agent*,Fleet*",
    FLEETMARK_KPIS: '[{"id":"policy_inference_time_ms","for":"0s"}]',
  };
  await start();
}, 30_000);
afterAll(async () => {
  collector?.process.kill("SIGTERM");
  await collector?.ended;
  webhook.closeAllConnections();
  webhook.close();
  folder.remove();
});

/** Kills the collector at a moment of the first message of this round. */
function armKill(moment: Moment): void {
  let isArmed = true;
  onMessage = (answer) => {
    if (moment === "as the message arrives" && isArmed) kill();
    answer();
    if (moment === "as it was answered" && isArmed) kill();
    if (moment === "half a second later" && isArmed) setTimeout(kill, 500);
    isArmed = false;
  };
}

it(
  `is told of each of ${rounds} alerts, whenever the collector was killed`,
  async () => {
    const twice: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const moment = moments[round % moments.length] as Moment;
      armKill(moment);
      await breach(round);
      if (moment === "as the result is stored") kill();
      await collector.ended;
      onMessage = (answer) => answer();
      await start();
      const group = `Policy forward pass past its alert threshold · c${round}`;
      const count = (): number => told.filter((each) => each === group).length;
      await vi.waitFor(() => expect(count()).toBeGreaterThan(0), { timeout: 30_000, interval: 50 });
      // So long as another message would take.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(count(), moment).toBeLessThanOrEqual(
        moment === "half a second later" || moment === "as the result is stored" ? 1 : 2,
      );
      if (count() === 2) twice.push(moment);
    }
    console.log(`killed ${rounds} times; told twice: ${twice.length} (${[...new Set(twice)].join(", ")}); lost: 0`);
    const firing = await askHttp<unknown[]>(collector.facts.http, "/api/v1/alerts?state=firing&limit=1000");
    expect(firing).toHaveLength(2 * rounds);
  },
  60_000 + rounds * 20_000,
);

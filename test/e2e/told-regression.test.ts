import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { alertsAnswer } from "@fleetmark/shared/api/answers";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { z } from "zod";
import { askHttp } from "../testbed/answers.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";
import { steerWorkload, writeSteeredWorkload } from "../testbed/steered-workload.js";

/** The life of a regression on a live agent: seen, measured again, told of, over. */

type Alert = z.infer<typeof alertsAnswer>[number];

const folder = makeFolder();
const place = (name: string): string => join(folder.path, name);
const told: { readonly state: string; readonly title: string; readonly firing: { readonly description: string }[] }[] = [];
const webhook = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    told.push(JSON.parse(body));
    response.end();
  });
});
let collector: Program & { facts: { grpc: Address; http: Address } };
let agent: Program;

beforeAll(async () => {
  writeSteeredWorkload(folder.path);
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const { port } = webhook.address() as AddressInfo;
  const anyPort = { listen: "127.0.0.1:0" };
  const alerts = {
    sinks: [{ kind: "webhook", url: `http://127.0.0.1:${port}/` }],
    wait: "0s",
    update: "0s",
    ignore: ["Disk*"],
  };
  writeFileSync(place("collector.yaml"), JSON.stringify({ data_dir: place("data"), grpc: anyPort, http: anyPort, alerts }));
  collector = await startDaemon(["collector", "--config", place("collector.yaml")]);
  const idle = {
    settle: "1s",
    other_cpu_cores: 64,
    cpu_pressure_percent: 100,
    memory_pressure_percent: 100,
    available_memory_percent: 0,
  };
  const run = { on_start: "none", schedule: [], idle };
  const config = {
    host: "h1",
    collector: { address: formatAddress(collector.facts.grpc) },
    spool: { dir: place("spool") },
    suites: ["./suites.yaml"],
    run,
  };
  writeFileSync(place("agent.yaml"), JSON.stringify(config));
  agent = await startDaemon(["agent", "--config", place("agent.yaml")]);
}, 60_000);
afterAll(async () => {
  for (const program of [agent, collector]) {
    program?.process.kill("SIGTERM");
    await program?.ended;
  }
  webhook.closeAllConnections();
  webhook.close();
  folder.remove();
});

const list = () => askHttp<Alert[]>(collector.facts.http, "/api/v1/alerts");
const readVerdicts = () => askHttp<VerdictRecord[]>(collector.facts.http, "/api/v1/records/verdict?limit=1000");

/** Measures with so much work, beside the agent and by its host's name, and waits for the verdict. */
async function measure(rounds: number): Promise<VerdictRecord> {
  steerWorkload(folder.path, rounds);
  const before = (await readVerdicts()).length;
  const what = ["--suite-file", place("suites.yaml"), "--suite", "plant", "--budget", "2s", "--output-dir", place("results")];
  const environment = { FLEETMARK_HOST: "h1" };
  const ran = await runProgram(["bench", ...what, "--report", formatAddress(collector.facts.grpc)], {
    cwd: folder.path,
    environment,
  });
  expect(ran.code, ran.stderr).toBe(0);
  return vi.waitFor(
    async () => {
      const found = await readVerdicts();
      expect(found.length).toBeGreaterThan(before);
      return found[0] as VerdictRecord;
    },
    { timeout: 20_000, interval: 100 },
  );
}

/** Measures with the usual work until it is known to be as before: a busy machine may leave that open. */
async function calmDown(): Promise<void> {
  for (let run = 0; run < 6; run++) {
    const { verdict } = await measure(20_000);
    expect(verdict).not.toBe("regressed");
    if (verdict === "unchanged" || verdict === "improved") return;
  }
  throw new Error("the machine is too busy to tell");
}

const patience = { timeout: 90_000, interval: 250 };
const title = "Much slower than before";

it("a regression is measured again before anybody is told, is told once as confirmed, and ends when it is over", async () => {
  for (let run = 0; run < 4; run++) expect((await measure(20_000)).verdict).not.toBe("regressed");
  const slow = await measure(60_000);
  expect(slow).toMatchObject({ verdict: "regressed", severity: "high", lasted: 1 });
  expect(told).toEqual([]);
  // The collector asks for it by itself.
  await vi.waitFor(async () => expect((await readVerdicts())[0]).toMatchObject({ verdict: "regressed", lasted: 2 }), patience);
  await vi.waitFor(() => expect(told.map((each) => each.title)).toEqual([`[FIRING] critical ${title} on h1`]), patience);
  expect(told[0]?.firing[0]?.description).toMatch(
    /^controller js\/cpu on h1 went from .*\+\d{3}\.\d % .*Measured again, it is slower again: confirmed\./,
  );
  await calmDown();
  await vi.waitFor(() => expect(told.map((each) => each.state)).toEqual(["firing", "resolved"]), patience);
  expect((await list()).filter(({ state }) => state === "firing")).toEqual([]);
}, 420_000);

it("what is as before when it is measured again is told to nobody", async () => {
  await calmDown();
  const count = told.length;
  steerWorkload(folder.path, 60_000);
  const slow = await measure(60_000);
  // The cause is gone before the host is asked, or while it waits.
  steerWorkload(folder.path, 20_000);
  expect(slow.verdict).toBe("regressed");
  await vi.waitFor(async () => expect((await readVerdicts())[0]?.time_us).toBeGreaterThan(slow.time_us), patience);
  expect((await readVerdicts())[0]?.verdict).not.toBe("regressed");
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  expect(told.slice(count)).toEqual([]);
}, 400_000);

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { campaignAnswer } from "@fleetmark/shared/api/answers";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { z } from "zod";
import { describeUnless, missingServers } from "../testbed/needs.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";
import { findFreePort, findShareObstacle, type Server, startAlertmanager } from "../testbed/servers.js";

type Campaign = z.infer<typeof campaignAnswer>;

/** A campaign that no host is asked for while an alert fires, by a real Alertmanager. */
describeUnless(missingServers("prometheus-alertmanager") ?? findShareObstacle("prometheus-alertmanager"))(
  "a campaign that names alerts",
  () => {
    const folder = makeFolder();
    const data = join(folder.path, "data");
    const asOwner = ["--data", data];
    let alertmanager: Server;
    let collector: Program & { facts: { grpc: Address; http: Address } };
    let agent: Program;

    const fire = async (seconds: number, labels: Record<string, string> = {}): Promise<void> => {
      const endsAt = new Date(Date.now() + seconds * 1000).toISOString();
      const alert = { labels: { alertname: "Agent down", host: "gpu-9", ...labels }, endsAt };
      const answer = await fetch(`${alertmanager.url}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify([alert]),
      });
      expect(answer.status).toBe(200);
    };
    const order = async (...more: string[]): Promise<Campaign> => {
      const at = ["--collector", formatAddress(collector.facts.http), ...asOwner];
      const ran = await runProgram(["fleet", "run", "--suite", "none", "--json", ...at, ...more]);
      expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("on 1 hosts")]);
      return JSON.parse(ran.stdout) as Campaign;
    };
    const read = async (id: string): Promise<Campaign> => {
      const answer = await fetch(`http://${formatAddress(collector.facts.http)}/api/v1/campaigns/state?id=${id}`);
      return (await answer.json()) as Campaign;
    };

    beforeAll(async () => {
      alertmanager = await startAlertmanager();
      const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
      collector = await startDaemon([
        ...["collector", "--data-dir", data, ...listen],
        ...["--alerts-alertmanager", alertmanager.url],
      ]);
      const suites = join(folder.path, "suites.yaml");
      writeFileSync(
        suites,
        "suites: [{ name: short, description: one, benchmarks: [{ name: environment_step, params: { env: ChemicalReactor-v0 } }] }]\n",
      );
      // What comes of it does not matter here: it is refused, for its configuration allows no suite.
      agent = await startDaemon([
        ...["agent", "--host", "gpu-1", "--collector-address", formatAddress(collector.facts.grpc)],
        ...["--spool-dir", join(folder.path, "spool"), "--commands-suites", "short"],
      ]);
      await vi.waitFor(async () => {
        const hosts = await (await fetch(`http://${formatAddress(collector.facts.http)}/api/v1/hosts`)).json();
        expect(hosts).toMatchObject([{ host: "gpu-1", attached: true }]);
      }, 10_000);
    }, 60_000);
    afterAll(async () => {
      for (const program of [agent, collector]) {
        program?.process.kill("SIGTERM");
        await program?.ended;
      }
      await alertmanager?.remove();
      folder.remove();
    });

    it("asks nobody while one of them fires, and goes on when it has ended", async () => {
      await fire(600);
      const { id } = await order("--pause-while", "Agent *,Fleet silent");
      await vi.waitFor(async () => expect((await read(id)).paused).toBe("the alert Agent down fires"), 10_000);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(await read(id)).toMatchObject({ state: "running", counts: { waiting: 1 } });
      const status = await runProgram(["fleet", "status", "--collector", formatAddress(collector.facts.http), ...asOwner]);
      expect(status.stderr).toContain("paused: the alert Agent down fires");
      await fire(0);
      await vi.waitFor(async () => expect(await read(id)).toMatchObject({ state: "ended", paused: "", counts: { refused: 1 } }), {
        timeout: 30_000,
        interval: 200,
      });
    }, 60_000);

    it("waits for no other alert", async () => {
      await fire(600, { alertname: "Clock off" });
      const { id } = await order("--pause-while", "Agent down");
      await vi.waitFor(async () => expect((await read(id)).state).toBe("ended"), { timeout: 15_000 });
    }, 30_000);

    it("waits while nobody can tell whether one fires", async () => {
      await alertmanager.kill();
      // What was heard of it holds for fifteen seconds.
      await new Promise((resolve) => setTimeout(resolve, 15_500));
      const { id } = await order("--pause-while", "Agent down");
      await vi.waitFor(async () => expect((await read(id)).paused).toMatch(/can't be read/), { timeout: 20_000 });
      expect((await read(id)).counts).toEqual({ waiting: 1 });
      await alertmanager.restart();
      await vi.waitFor(async () => expect((await read(id)).state).toBe("ended"), { timeout: 30_000 });
    }, 60_000);

    it("asks an Alertmanager on another machine by https alone", async () => {
      const clear = await runProgram(["collector", "--alerts-alertmanager", "http://192.0.2.1:9093"]);
      expect([clear.code, clear.stderr]).toEqual([2, expect.stringContaining("alerts.insecure")]);
    });
  },
);

it("an Alertmanager that answers nonsense is one that can't be read", async () => {
  const { createFiringAlerts } = await import("#collector/control/firing-alerts.js");
  const answers = ["<html>", '{"status":"success"}', "[{}]", "x".repeat(100)];
  const port = await findFreePort();
  const server = createServer((_, response) => response.end(answers.shift() ?? "[]")).listen(port, "127.0.0.1");
  const { pino } = await import("pino");
  let nowMs = 0;
  const config = { alertmanager: `http://127.0.0.1:${port}` };
  const alerts = createFiringAlerts(
    config,
    pino({ level: "silent" }),
    () => [],
    () => nowMs,
  );
  for (const _ of [1, 2, 3, 4]) {
    alerts.findReason(["*"]);
    await vi.waitFor(() => expect(alerts.findReason(["*"])).toMatch(/can't be read/));
    await new Promise((resolve) => setTimeout(resolve, 100));
    nowMs += 20_000;
  }
  alerts.findReason(["*"]);
  await vi.waitFor(() => expect(alerts.findReason(["*"])).toBeUndefined());
  server.close();
});

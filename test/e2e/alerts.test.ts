import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { alertsAnswer } from "@fleetmark/shared/api/answers";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { SMTPServer } from "smtp-server";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { z } from "zod";
import { attachAgent, buildBatch, makeResult, type TestAgent } from "../../collector/test/support.js";
import { askHttp } from "../testbed/answers.js";
import { describeUnless, missingServers } from "../testbed/needs.js";
import { makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";
import { findShareObstacle, type Server, startAlertmanager } from "../testbed/servers.js";

type Alert = z.infer<typeof alertsAnswer>[number];

/** What a webhook got. */
interface Posted {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

interface Told {
  readonly state: string;
  readonly title: string;
  readonly firing: { readonly labels: Record<string, string>; readonly description: string }[];
}

const secret = "a secret that both know";
const patience = { timeout: 60_000, interval: 200 };
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** A webhook that keeps what it got; it may refuse, or hang. */
async function openWebhook() {
  const got: Posted[] = [];
  const mood = { status: 200, hangs: false };
  const server: HttpServer = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      if (mood.hangs) return;
      if (mood.status === 200) got.push({ body, headers: request.headers });
      response.writeHead(mood.status).end("what is wrong");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const read = (): Told[] => got.map(({ body }) => JSON.parse(body) as Told);
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/hook`, got, mood, read, close };
}

/** A mail server that refuses one address. */
async function openMail() {
  const got: { readonly to: string; readonly text: string }[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onRcptTo: ({ address }, _, done) => done(address.startsWith("gone@") ? new Error("no such person") : undefined),
    onData: (stream, { envelope }, done) => {
      let text = "";
      stream.on("data", (part) => (text += part));
      stream.on("end", () => {
        got.push({ to: envelope.rcptTo.map(({ address }) => address).join(","), text });
        done();
      });
    },
  });
  const listening = server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => listening.once("listening", resolve));
  const { port } = listening.address() as AddressInfo;
  return { server: `smtp://127.0.0.1:${port}`, got, close: () => server.close() };
}

describeUnless(missingServers("prometheus-alertmanager") ?? findShareObstacle("prometheus-alertmanager"))(
  "alerts of a collector",
  () => {
    const folder = makeFolder();
    const data = join(folder.path, "data");
    const config = join(folder.path, "collector.yaml");
    let alertmanager: Server;
    let webhook: Awaited<ReturnType<typeof openWebhook>>;
    let mail: Awaited<ReturnType<typeof openMail>>;
    let collector: Program & { facts: { grpc: Address; http: Address } };
    let agent: TestAgent;
    let sequence = 0;

    const attach = async (host = "h1"): Promise<void> => {
      agent = await attachAgent(collector.facts.grpc, { host });
    };
    const fleetmark = (...args: string[]) =>
      runProgram([...args, "--collector", formatAddress(collector.facts.http), "--data", data]);
    const measure = async (median: number, host = "h1"): Promise<void> => {
      const timeUs = Date.now() * 1000;
      const result = makeResult({ median, median_low: median, median_high: median, time_us: timeUs, host });
      agent.sendBatch(encodeBatch(buildBatch(++sequence, [resultRecord.toPoint(result)], host, timeUs)));
      await agent.nextAck();
    };
    const list = () => askHttp<Alert[]>(collector.facts.http, "/api/v1/alerts");
    const readAlertmanager = async (): Promise<string[]> => {
      const answer = await fetch(`${alertmanager.url}/api/v2/alerts?active=true`);
      return ((await answer.json()) as { labels: Record<string, string> }[]).map(
        ({ labels }) => `${labels.alertname} ${labels.host}`,
      );
    };
    const name = "Policy forward pass past its alert threshold";

    beforeAll(async () => {
      alertmanager = await startAlertmanager();
      webhook = await openWebhook();
      mail = await openMail();
      writeFileSync(join(folder.path, "secret"), `${secret}\n`);
      const sinks = [
        { kind: "alertmanager", url: alertmanager.url },
        { kind: "webhook", url: webhook.url, secret_file: join(folder.path, "secret") },
        {
          kind: "mail",
          server: mail.server,
          from: "fleetmark@example.com",
          to: ["gone@example.com", "ops@example.com"],
          insecure: true,
        },
      ];
      const anyPort = { listen: "127.0.0.1:0" };
      const kpis = [{ id: "policy_inference_time_ms", for: "0s" }];
      const alerts = {
        sinks,
        every: "1s",
        wait: "0s",
        update: "0s",
        runbooks: "https://example.com/runbooks",
        ignore: ["Disk*"],
      };
      // JSON is YAML.
      writeFileSync(config, JSON.stringify({ data_dir: data, grpc: anyPort, http: anyPort, kpis, alerts }));
      collector = await startDaemon(["collector", "--config", config]);
    }, 60_000);
    afterAll(async () => {
      collector?.process.kill("SIGTERM");
      await collector?.ended;
      await alertmanager?.remove();
      webhook?.close();
      mail?.close();
      folder.remove();
    });

    it("arrive in a real Alertmanager, signed by webhook, and by mail, once", async () => {
      await attach();
      await measure(5e-3);
      await vi.waitFor(
        () => expect(webhook.read().map(({ title }) => title)).toEqual([`[FIRING] critical ${name} on h1`]),
        patience,
      );
      const [{ body, headers } = { body: "", headers: {} }] = webhook.got;
      const signed = createHmac("sha256", secret).update(`${headers["x-fleetmark-timestamp"]}.${body}`).digest("hex");
      expect(headers["x-fleetmark-signature"]).toBe(`sha256=${signed}`);
      expect(webhook.read()[0]?.firing[0]?.description).toMatch(
        /^Policy forward pass on h1 is 5\.00 ms, over 1\.00 ms, by policy_forward/,
      );
      await vi.waitFor(async () => expect(await readAlertmanager()).toContain(`${name} h1`), patience);
      await vi.waitFor(() => expect(mail.got.map(({ to }) => to)).toEqual(["ops@example.com"]), patience);
      expect(mail.got[0]?.text).toMatch(/Runbook: https:\/\/example\.com\/runbooks\/policy-forward-pass\.md/);
      const shown = await fleetmark("alert", "list");
      expect([shown.code, shown.stdout]).toEqual([1, expect.stringMatching(/past its alert threshold +h1 +firing/)]);
      const target = (await list()).find(({ alert }) => alert === "Policy forward pass past its target");
      expect(target).toMatchObject({ state: "firing", muted: name });
    }, 90_000);

    it("are not told again by a collector that was killed and began anew, and end when they are over", async () => {
      collector.process.kill("SIGKILL");
      await collector.ended;
      collector = await startDaemon(["collector", "--config", config]);
      await attach();
      await pause(8);
      expect([webhook.read().map(({ title }) => title), mail.got.length]).toEqual([[`[FIRING] critical ${name} on h1`], 1]);
      expect((await list()).find(({ alert }) => alert === name)).toMatchObject({ state: "firing" });
      await measure(5e-5);
      await vi.waitFor(
        () => expect(webhook.read().at(-1)).toMatchObject({ state: "resolved", title: `[RESOLVED] critical ${name} on h1` }),
        patience,
      );
      await vi.waitFor(async () => expect(await readAlertmanager()).not.toContain(`${name} h1`), patience);
      await vi.waitFor(() => expect(mail.got.at(-1)?.text).toMatch(/RESOLVED/), patience);
      expect((await fleetmark("alert", "list")).stderr).toMatch(/nothing fires/);
    }, 120_000);

    it("that are silenced are told to nobody, until the silence ends", async () => {
      await attach();
      const before = webhook.got.length;
      const made = await fleetmark("alert", "silence", "host=h*", "--for", "2h", "--reason", "maintenance", "--json");
      expect(made.code, made.stderr).toBe(0);
      const { id } = JSON.parse(made.stdout) as { id: string };
      await measure(6e-3);
      await vi.waitFor(async () => {
        expect((await list()).find(({ alert }) => alert === name)).toMatchObject({ state: "firing", muted: "silenced" });
      }, patience);
      await pause(4);
      expect(webhook.got).toHaveLength(before);
      expect((await fleetmark("alert", "silences")).stdout).toMatch(/host=h\*.*maintenance/);
      expect((await fleetmark("alert", "unsilence", id)).code).toBe(0);
      await vi.waitFor(() => expect(webhook.read().at(-1)).toMatchObject({ state: "firing" }), patience);
    }, 120_000);

    it("arrive late where the way refused them or hung, once", async () => {
      await attach("h2");
      webhook.mood.status = 500;
      const tested = await fleetmark("alert", "test");
      expect([tested.code, tested.stderr]).toEqual([
        1,
        expect.stringMatching(/webhook: http:\S+ did not take it: it answered 500: what is wrong/),
      ]);
      expect(tested.stderr).toMatch(/mail: smtp:\S+ took it/);
      webhook.mood.status = 200;
      expect((await fleetmark("alert", "test")).code).toBe(0);
      expect(webhook.read().at(-1)?.title).toBe("[FIRING] critical Test of alerts");
      const before = webhook.got.length;
      webhook.mood.hangs = true;
      await measure(7e-3, "h2");
      await pause(12);
      webhook.mood.hangs = false;
      const title = `[FIRING] critical ${name} on 2 hosts (2 alerts)`;
      await vi.waitFor(
        () =>
          expect(
            webhook
              .read()
              .slice(before)
              .map((told) => told.title),
          ).toEqual([title]),
        { timeout: 60_000, interval: 500 },
      );
      await pause(4);
      expect(webhook.got).toHaveLength(before + 1);
    }, 150_000);

    it("say what is wrong with a silence, or with a way", async () => {
      const refused = async (...args: string[]) => (await fleetmark("alert", ...args)).stderr;
      expect(await refused("silence", "host", "--for", "2h", "--reason", "x")).toMatch(/host is not label=glob/);
      expect(await refused("silence", "Host!=1", "--for", "2h", "--reason", "x")).toMatch(/Host! is no label such as host/);
      expect(await refused("silence", "host=h1", "--for", "200d", "--reason", "x")).toMatch(/at most 90 days/);
      expect(await refused("unsilence", "nope")).toMatch(/no silence nope holds now/);
      const check = async (sink: object) => {
        const file = join(folder.path, "wrong.yaml");
        writeFileSync(file, JSON.stringify({ alerts: { sinks: [sink] } }));
        const { stdout, stderr } = await runProgram(["config", "check", "--for", "collector", file]);
        return stdout + stderr;
      };
      expect(await check({ kind: "webhook", url: "http://192.0.2.1/hook" })).toMatch(/alerts\.sinks\.0\.url.*in the clear/s);
      expect(await check({ kind: "webhook", url: "https://example.com", body: "pagerduty" })).toMatch(/routing key/);
      expect(await check({ kind: "mail", server: "smtp://127.0.0.1", from: "nobody", to: [] })).toMatch(/must be an address/);
      expect(await check({ kind: "pigeon" })).toMatch(/kind/);
    });
  },
);

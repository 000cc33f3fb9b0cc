import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { campaignAnswer } from "@fleetmark/shared/api/answers";
import type { CommandRecord } from "@fleetmark/shared/records/command";
import type { z } from "zod";
import { answers, type ManagedProcess, manageProcess } from "../testbed/managed-process.js";
import { startNats } from "../testbed/nats.js";
import { fleetmarkBin, runProgram } from "../testbed/program.js";
import { repositoryRoot } from "../testbed/repository-root.js";
import { findFreePort, type Server, startInflux } from "../testbed/servers.js";
import type { Started } from "./commanded-host.js";
import type { HostProcessOptions } from "./host-process.js";

/**
 * A drill of commands: a campaign on many hosts, while the collector and the hosts' processes are killed. What really
 * began is written down by the hosts themselves, apart from anything that the product says of it.
 */
export interface DrillOptions {
  readonly link: "grpc" | "nats";
  readonly hosts: number;
  /** Two share an InfluxDB, and each passes on what either was asked; one keeps a data file. Default: one. */
  readonly collectors?: 1 | 2;
  /** How often the collector is killed, and the hosts. */
  readonly collectorKills: number;
  readonly hostKills: number;
  readonly folder: string;
  readonly say?: (line: string) => void;
}

/** What came of it. */
export interface DrillReport {
  readonly link: string;
  readonly hosts: number;
  readonly collectors: number;
  readonly collector_kills: number;
  readonly host_kills: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Commands that began more than one run, and runs that began more than once, by the hosts' own word. */
  readonly begun_twice: number;
  /** Hosts that the campaign calls finished on which nothing began, and the reverse. */
  readonly strangers: number;
  /** The most runs that began within one run's time: no more than may be at it at a time. */
  readonly most_at_once: number;
  readonly at_most: number;
  /** Seconds from the moment in which a command was recorded as asked to the start of its run. */
  readonly start_s: { readonly median: number; readonly p99: number; readonly worst: number };
  readonly seconds: number;
}

type Campaign = z.infer<typeof campaignAnswer>;

/** Every tenth host may not be asked for the suite. */
const refusesEvery = 10;
const perProcess = 250;
const runMs = 2000;

const hostProgram = join(repositoryRoot, "test/dist/control/host-process.js");

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function readJournal(path: string): Started[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Started]));
}

interface HostProcess {
  start(): Promise<void>;
  kill(): Promise<void>;
}

function manageHosts(options: HostProcessOptions): HostProcess {
  let child: ChildProcess | undefined;
  return {
    start: () => {
      const started = spawn(process.execPath, [hostProgram, JSON.stringify(options)], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      child = started;
      // In truth each host has a machine of its own: the collector comes first on this one.
      if (started.pid !== undefined) setPriority(started.pid, 10);
      return new Promise((resolve, reject) => {
        started.once("message", () => resolve());
        started.once("exit", (code) => reject(new Error(`hosts ended with ${code}`)));
      });
    },
    kill: async () => {
      const dying = child;
      if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
      const gone = new Promise((resolve) => dying.once("exit", resolve));
      dying.kill("SIGKILL");
      await gone;
    },
  };
}

/** Asks until it is answered: the collector may just have been killed. */
async function askPatiently<T>(url: string, init: RequestInit = {}): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      const answer = await fetch(url, init);
      if (answer.status === 200) return (await answer.json()) as T;
      if (answer.status < 500) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
    } catch (thrown) {
      if (i > 120 || String(thrown).includes("answered")) throw thrown;
    }
    await delay(500);
  }
}

async function readAll(http: string, kind: string): Promise<CommandRecord[]> {
  const all: CommandRecord[] = [];
  let before = "";
  for (;;) {
    const page = await askPatiently<CommandRecord[]>(`${http}/api/v1/records/${kind}?limit=1000${before}`);
    all.push(...page);
    if (page.length < 1000) return all;
    before = `&before_us=${page.at(-1)?.time_us}`;
  }
}

interface Collector {
  readonly process: ManagedProcess;
  readonly grpcPort: number;
  readonly http: string;
  readonly dataDir: string;
}

/** Plans a collector in a folder of its own. */
async function planCollector(folder: string, natsUrl: string | undefined, influxUrl: string | undefined): Promise<Collector> {
  mkdirSync(folder);
  const [grpcPort, httpPort] = [await findFreePort(), await findFreePort()];
  const http = `http://127.0.0.1:${httpPort}`;
  const config = join(folder, "collector.json");
  const dataDir = join(folder, "data");
  writeFileSync(
    config,
    JSON.stringify({
      name: basename(folder),
      data_dir: dataDir,
      grpc: { listen: `127.0.0.1:${grpcPort}` },
      http: { listen: `127.0.0.1:${httpPort}` },
      ...(natsUrl === undefined ? {} : { nats: { servers: [natsUrl] } }),
      ...(influxUrl === undefined ? {} : { store: { kind: "influxdb", url: influxUrl } }),
      limits: { connections_per_address: 100_000 },
      log: { level: "warn", format: "json" },
    }),
  );
  const managed = manageProcess({
    name: basename(folder),
    command: [process.execPath, fleetmarkBin, "collector", "--config", config],
    log: join(folder, "collector.log"),
    isReady: () => answers(`${http}/readyz`),
  });
  return { process: managed, grpcPort, http, dataDir };
}

/** Starts a database for collectors that share it. */
async function startSharedStore(): Promise<Server> {
  const influx = await startInflux();
  const made = await runProgram(["store", "setup", "--store-kind", "influxdb", "--store-url", influx.url, "--yes"]);
  if (made.code === 0) return influx;
  await influx.remove();
  throw new Error(made.stderr);
}

async function countAttached(http: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(/^fleetmark_agents_attached (\d+)$/m.exec(text)?.[1] ?? 0);
}

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { link, hosts, folder, collectors: collectorCount = 1, say = () => {} } = options;
  const began = performance.now();
  const influx = collectorCount === 1 ? undefined : await startSharedStore();
  const nats = link === "nats" ? await startNats() : undefined;
  const collectors: Collector[] = [];
  for (let i = 0; i < collectorCount; i++)
    collectors.push(await planCollector(join(folder, `collector-${i}`), nats?.url, influx?.url));
  const [{ process: collector, grpcPort: port, http, dataDir }] = collectors;
  const journal = join(folder, "journal");
  writeFileSync(journal, "");
  mkdirSync(join(folder, "spools"));
  const where =
    nats === undefined ? { collector: { address: `127.0.0.1:${port}` } } : { link: "nats", nats: { servers: [nats.url] } };
  const names = Array.from({ length: hosts }, (_, i) => ({
    host: `host-${i}`,
    suites: i % refusesEvery === 0 ? ["other"] : ["*"],
  }));
  const processes: HostProcess[] = [];
  for (let i = 0; i < hosts; i += perProcess) {
    const own = { hosts: names.slice(i, i + perProcess), link: where, spools: join(folder, "spools"), journal, runMs };
    processes.push(manageHosts({ ...own, log: join(folder, "hosts.log") }));
  }
  const end = async (): Promise<void> => {
    await Promise.all([...processes.map((each) => each.kill()), ...collectors.map((each) => each.process.kill())]);
    await Promise.all([nats?.remove(), influx?.remove()]);
  };
  endCurrent = end;
  try {
    for (const each of collectors) await each.process.start();
    // One process after the other: hosts that all attach at once on the cores of one machine keep each other waiting.
    for (const [i, each] of processes.entries()) {
      await each.start();
      const expected = Math.min(hosts, (i + 1) * perProcess);
      while ((await countAttached(http)) < expected) await delay(200);
    }
    say(`${hosts} hosts are attached`);
    const order = { suite: "quick", ttl_s: 600, patience_s: 600, id: "drill", at_most: Math.ceil(hosts / 2) };
    await askPatiently<Campaign>(`${http}/api/v1/campaigns`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${readFileSync(join(dataDir, "owner.token"), "utf8").trim()}`,
      },
      body: JSON.stringify(order),
    });
    for (let i = 0; i < Math.max(options.collectorKills, options.hostKills); i++) {
      await delay(1200);
      // First while the first runs are under way.
      if (i < options.hostKills) {
        const victim = processes[i % processes.length];
        await victim.kill();
        say("hosts are killed");
        await victim.start();
      }
      if (i < options.collectorKills) {
        await collector.kill();
        say("the collector is killed");
        await collector.start();
      }
    }
    let campaign: Campaign;
    for (;;) {
      campaign = await askPatiently<Campaign>(`${http}/api/v1/campaigns/state?id=drill`);
      say(JSON.stringify(campaign.counts));
      if (campaign.state !== "running") break;
      await delay(1000);
    }
    return judge(options, campaign, readJournal(journal), await readAll(http, "command"), (performance.now() - began) / 1000);
  } finally {
    await end();
  }
}

let endCurrent: () => Promise<void> = async () => {};

/** Ends whatever a drill that is under way has started. */
export function endDrill(): Promise<void> {
  return endCurrent();
}

/** Counts starts within one run's time of each other. */
function countMostAtOnce(started: readonly Started[]): number {
  const times = started.map(({ at }) => at).sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [last, at] of times.entries()) {
    while (at - times[first] >= runMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

function judge(
  options: DrillOptions,
  campaign: Campaign,
  started: readonly Started[],
  commands: readonly CommandRecord[],
  seconds: number,
): DrillReport {
  const perHost = new Map<string, number>();
  for (const { host } of started) perHost.set(host, (perHost.get(host) ?? 0) + 1);
  const finished = new Set(campaign.on_hosts.filter(({ state }) => state === "finished").map(({ host }) => host));
  const asked = new Map(commands.filter(({ state }) => state === "asked").map((record) => [record.host, record.time_us / 1e6]));
  const waits = started.map(({ host, at }) => at / 1000 - (asked.get(host) ?? Number.NaN)).sort((a, b) => a - b);
  const begun = new Set(perHost.keys());
  const ended = new Set(
    campaign.on_hosts.filter(({ state }) => state === "finished" || state === "interrupted").map(({ host }) => host),
  );
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return {
    link: options.link,
    hosts: options.hosts,
    collectors: options.collectors ?? 1,
    collector_kills: options.collectorKills,
    host_kills: options.hostKills,
    counts: campaign.counts,
    // A run that was cut short left its place before its time was over.
    most_at_once: countMostAtOnce(started.filter(({ host }) => finished.has(host))),
    at_most: campaign.at_most ?? options.hosts,
    begun_twice: [...perHost.values()].filter((count) => count > 1).length,
    strangers: [...finished].filter((host) => !begun.has(host)).length + [...begun].filter((host) => !ended.has(host)).length,
    start_s: { median: round(quantile(waits, 0.5)), p99: round(quantile(waits, 0.99)), worst: round(waits.at(-1) ?? Number.NaN) },
    seconds: Math.round(seconds),
  };
}

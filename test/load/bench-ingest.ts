import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { InfluxDB } from "@influxdata/influxdb-client";
import { answers, type ManagedProcess, manageProcess } from "../testbed/managed-process.js";
import { fleetmarkBin } from "../testbed/program.js";
import { repositoryRoot } from "../testbed/repository-root.js";
import { askInflux, findFreePort, findServer } from "../testbed/servers.js";
import type { GeneratorOptions, GeneratorOutcome } from "./ingest-generator.js";

/**
 * Measures how fast samples come in and what that costs each process, over both links and into both stores, beside the
 * raw InfluxDB client and vmagent; then one collector with a large fleet. `--json` prints one document; `--repeats 0`
 * measures the large fleets alone.
 */

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    samples: { type: "string", default: "2000000" },
    repeats: { type: "string", default: "3" },
    hosts: { type: "string", default: "10000" },
    seconds: { type: "string", default: "90" },
  },
});
const samplesWanted = Number(values.samples);
const repeats = Number(values.repeats);
const folder = mkdtempSync(join(tmpdir(), "fleetmark-bench-ingest-"));
const processes: ManagedProcess[] = [];
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** What one process spent, CPU seconds (proc(5), stat: the 14th and 15th field, in ticks of a hundredth). */
function readCpuS(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const readRssMb = (pid: number, key: "VmRSS" | "VmHWM"): number =>
  Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Ways and stores, each started afresh for a measurement. */
interface Bench {
  readonly collector: ManagedProcess;
  readonly link: GeneratorOptions["link"];
  /** Processes besides collector and client whose CPU counts. */
  readonly servers: readonly ManagedProcess[];
}

let runs = 0;

async function startOne(
  name: string,
  command: readonly string[],
  ready: string,
  environment: Record<string, string> = {},
): Promise<ManagedProcess> {
  const recipe = { name, command, environment, log: join(folder, `${name}-${runs}.log`), isReady: () => answers(ready) };
  const started = manageProcess(recipe);
  processes.push(started);
  await started.start();
  return started;
}

async function startInfluxd(data: string): Promise<{ influxd: ManagedProcess; url: string }> {
  const [port, otherPort] = [await findFreePort(), await findFreePort()];
  const url = `http://127.0.0.1:${port}`;
  const influxd = await startOne("influxd", [findServer("influxd") ?? "influxd", "run"], `${url}/ping`, {
    INFLUXDB_META_DIR: join(data, "meta"),
    INFLUXDB_DATA_DIR: join(data, "data"),
    INFLUXDB_DATA_WAL_DIR: join(data, "wal"),
    INFLUXDB_HTTP_LOG_ENABLED: "false",
    INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${port}`,
    INFLUXDB_BIND_ADDRESS: `127.0.0.1:${otherPort}`,
    INFLUXDB_REPORTING_DISABLED: "true",
    INFLUXDB_MONITOR_STORE_ENABLED: "false",
  });
  await askInflux(url, "CREATE DATABASE fleetmark");
  return { influxd, url };
}

async function startNatsServer(data: string): Promise<{ nats: ManagedProcess; url: string }> {
  const [port, monitor] = [await findFreePort(), await findFreePort()];
  const args = ["-a", "127.0.0.1", "-p", String(port), "-m", String(monitor), "-js", "-sd", data];
  const nats = await startOne(
    "nats",
    [findServer("nats-server") ?? "nats-server", ...args],
    `http://127.0.0.1:${monitor}/healthz`,
  );
  return { nats, url: `nats://127.0.0.1:${port}` };
}

async function startBench(link: "grpc" | "nats", store: "duckdb" | "influxdb"): Promise<Bench> {
  const data = join(folder, `run-${++runs}`);
  mkdirSync(data, { recursive: true });
  const influx = store === "influxdb" ? await startInfluxd(join(data, "influx")) : undefined;
  const nats = link === "nats" ? await startNatsServer(join(data, "nats")) : undefined;
  const [port, httpPort] = [await findFreePort(), await findFreePort()];
  const file = join(data, "collector.json");
  const config = {
    data_dir: join(data, "data"),
    grpc: { listen: `127.0.0.1:${port}` },
    http: { listen: `127.0.0.1:${httpPort}` },
    log: { level: "error" },
    store: influx === undefined ? { kind: "duckdb" } : { kind: "influxdb", url: influx.url },
    ...(nats === undefined ? {} : { nats: { servers: [nats.url] } }),
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [process.execPath, fleetmarkBin, "collector", "--config", file];
  const collector = await startOne("collector", command, `http://127.0.0.1:${httpPort}/readyz`);
  const servers = [...(influx === undefined ? [] : [influx.influxd]), ...(nats === undefined ? [] : [nats.nats])];
  return { collector, servers, link: nats === undefined ? { grpc: { host: "127.0.0.1", port } } : { nats: nats.url } };
}

async function stopAll(): Promise<void> {
  await Promise.all(processes.splice(0).map((process) => process.kill()));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    generator?.kill("SIGKILL");
    void stopAll().finally(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  });
}

interface Row {
  readonly way: string;
  readonly samplesPerSecond: number;
  /** CPU µs a sample, by process. */
  readonly cpuUs: Record<string, number>;
}

let generator: ChildProcess | undefined;

function startGenerator(options: GeneratorOptions): ChildProcess {
  const program = join(repositoryRoot, "test/dist/load/ingest-generator.js");
  return spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** Lets a fleet send, and reads what every process spent meanwhile. */
async function measure(
  bench: Bench,
  options: Omit<GeneratorOptions, "link">,
): Promise<{ outcome: GeneratorOutcome; cpuUs: Record<string, number> }> {
  generator = startGenerator({ ...options, link: bench.link });
  await once(generator, "message");
  const watched = [{ name: "client", pid: generator.pid }, bench.collector, ...bench.servers];
  const before = watched.map(({ pid }) => readCpuS(pid ?? 0));
  generator.send("go");
  const [outcome] = (await once(generator, "message")) as [GeneratorOutcome];
  const cpuUs = Object.fromEntries(
    watched.map(({ name, pid }, i) => [name, (1e6 * (readCpuS(pid ?? 0) - before[i])) / outcome.samples] as const),
  );
  return { outcome, cpuUs };
}

async function measureLink(link: "grpc" | "nats", store: "duckdb" | "influxdb"): Promise<Row> {
  const bench = await startBench(link, store);
  // So that nothing is compiled for the first time while it counts.
  const shape = { hosts: 50, fields: 50, moments: 20 };
  await measure(bench, { ...shape, pace: { batches: 300 } });
  const { outcome, cpuUs } = await measure(bench, { ...shape, pace: { batches: Math.round(samplesWanted / 1000) } });
  await stopAll();
  return { way: `${link} → ${store}`, samplesPerSecond: outcome.samples / outcome.seconds, cpuUs };
}

/** Blocks of 5000 lines of one field each or of fifty, written beforehand. */
function makeBlocks(samples: number): string[] {
  const begin = Date.now() * 1000 - samples;
  const lines = Array.from({ length: Math.ceil(samples / 50) }, (_, i) => {
    const fields = Array.from({ length: 50 }, (_, field) => `f${field}=${Math.sin(i + field) * 100}`);
    return `load,host=load-${i % 50} ${fields.join()} ${begin + i}`;
  });
  const blocks: string[] = [];
  for (let i = 0; i < lines.length; i += 5000) blocks.push(lines.slice(i, i + 5000).join("\n"));
  return blocks;
}

/** The InfluxDB client by itself: what there is to reach, for one that neither checks nor remembers anything. */
async function measureClient(): Promise<Row> {
  const data = join(folder, `run-${++runs}`);
  const { influxd, url } = await startInfluxd(data);
  const api = new InfluxDB({ url }).getWriteApi("", "fleetmark", "us", {
    maxRetries: 0,
    batchSize: 2,
    maxBatchBytes: 2 ** 40,
    flushInterval: 0,
    gzipThreshold: 2 ** 40,
  });
  api.path = "/write?db=fleetmark&precision=u";
  const blocks = makeBlocks(samplesWanted);
  const [own, server, begin] = [process.cpuUsage(), readCpuS(influxd.pid ?? 0), performance.now()];
  for (const block of blocks) {
    api.writeRecord(block);
    await api.flush();
  }
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(own);
  const cpuUs = {
    client: (user + system) / samplesWanted,
    influxd: (1e6 * (readCpuS(influxd.pid ?? 0) - server)) / samplesWanted,
  };
  await api.close();
  await stopAll();
  return { way: "raw client → influxdb", samplesPerSecond: samplesWanted / seconds, cpuUs };
}

/** vmagent between line protocol and VictoriaMetrics, until it has nothing left to pass on. */
async function measureVmagent(): Promise<Row | undefined> {
  const [agent, server] = [findServer("vmagent"), findServer("victoria-metrics")];
  if (agent === undefined || server === undefined) return undefined;
  const data = join(folder, `run-${++runs}`);
  const [port, agentPort] = [await findFreePort(), await findFreePort()];
  const vm = await startOne(
    "victoria-metrics",
    [server, `-storageDataPath=${join(data, "vm")}`, `-httpListenAddr=127.0.0.1:${port}`],
    `http://127.0.0.1:${port}/health`,
  );
  const agentUrl = `http://127.0.0.1:${agentPort}`;
  const flags = [
    `-remoteWrite.url=http://127.0.0.1:${port}/api/v1/write`,
    `-remoteWrite.tmpDataPath=${join(data, "agent")}`,
    `-httpListenAddr=127.0.0.1:${agentPort}`,
    "-maxInsertRequestSize=64MB",
  ];
  const vmagent = await startOne("vmagent", [agent, ...flags], `${agentUrl}/health`);
  const blocks = makeBlocks(samplesWanted);
  const pids = [vmagent, vm].map(({ pid }) => pid ?? 0);
  const [own, before, begin] = [process.cpuUsage(), pids.map(readCpuS), performance.now()];
  for (const body of blocks) {
    const answer = await fetch(`${agentUrl}/write?precision=u`, { method: "POST", body });
    if (!answer.ok) throw new Error(`vmagent answered ${answer.status}: ${await answer.text()}`);
  }
  const { user, system } = process.cpuUsage(own);
  const readTotal = async (name: string): Promise<number> => {
    const text = await (await fetch(`${agentUrl}/metrics`)).text();
    return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  };
  // It counts rows in blocks that were sent; between two looks nothing may have changed.
  for (let last = -1, now = 0; last !== now || now === 0; ) {
    last = now;
    await delay(1200);
    now = await readTotal("vmagent_remotewrite_bytes_sent_total");
  }
  const seconds = (performance.now() - begin) / 1000 - 1.2;
  const spent = pids.map((pid, i) => (1e6 * (readCpuS(pid) - before[i])) / samplesWanted);
  await stopAll();
  return {
    way: "vmagent → victoria-metrics",
    samplesPerSecond: samplesWanted / seconds,
    cpuUs: { client: (user + system) / samplesWanted, vmagent: spent[0], "victoria-metrics": spent[1] },
  };
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The median of some measurements, and how far they lie apart. */
function summarize(rows: readonly Row[]) {
  const rates = rows.map(({ samplesPerSecond }) => samplesPerSecond);
  const names = Object.keys(rows[0].cpuUs);
  return {
    way: rows[0].way,
    samples_per_second: Math.round(median(rates)),
    lowest: Math.round(Math.min(...rates)),
    highest: Math.round(Math.max(...rates)),
    cpu_us_per_sample: Object.fromEntries(
      names.map((name) => [name, Math.round(1000 * median(rows.map(({ cpuUs }) => cpuUs[name]))) / 1000]),
    ),
  };
}

/**
 * One collector with a large fleet, of which each host sends 50 fields every ten seconds: over gRPC on a connection of
 * its own; over NATS the collector has one connection however many agents there are, and so has the generator.
 */
async function measureFleet(link: "grpc" | "nats", store: "duckdb" | "influxdb", hosts: number, forS: number) {
  const bench = await startBench(link, store);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, readRssMb(bench.collector.pid ?? 0, "VmRSS"));
  }, 500);
  const { outcome, cpuUs } = await measure(bench, { hosts, fields: 50, moments: 1, pace: { intervalS: 10, forS } });
  clearInterval(watch);
  await stopAll();
  return {
    way: `${link} → ${store}`,
    hosts,
    seconds: forS,
    samples: outcome.samples,
    rss_mb_most: Math.round(most),
    latency_ms: outcome.latencyMs,
    arrival_latency_ms: outcome.arrivalMs,
    cpu_us_per_sample: Object.fromEntries(Object.entries(cpuUs).map(([name, us]) => [name, Math.round(1000 * us) / 1000])),
    collector_cores: Math.round((cpuUs.collector * outcome.samples) / outcome.seconds / 1e4) / 100,
  };
}

try {
  const hasInflux = findServer("influxd") !== undefined;
  const links = findServer("nats-server") === undefined ? (["grpc"] as const) : (["grpc", "nats"] as const);
  const stores = hasInflux ? (["duckdb", "influxdb"] as const) : (["duckdb"] as const);
  const pairs = links.flatMap((link) => stores.map((store) => ({ link, store })));
  const ways: (() => Promise<Row | undefined>)[] = pairs.map(
    ({ link, store }) =>
      () =>
        measureLink(link, store),
  );
  if (hasInflux) ways.push(measureClient);
  ways.push(measureVmagent);
  const measured = ways.map((): Row[] => []);
  // Round by round, so that what the machine does besides falls on all alike.
  for (let round = 0; round < repeats; round++) {
    for (const [i, way] of ways.entries()) {
      const row = await way();
      if (row === undefined) continue;
      measured[i].push(row);
      say(`${row.way}: ${Math.round(row.samplesPerSecond)} samples/s`);
    }
  }
  const rows = measured.filter((list) => list.length > 0).map(summarize);
  const fleets = [];
  for (const { link, store } of pairs) {
    say(`${values.hosts} hosts, ${link} → ${store}`);
    fleets.push(await measureFleet(link, store, Number(values.hosts), Number(values.seconds)));
  }
  const hardware = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  if (values.json) process.stdout.write(`${JSON.stringify({ hardware, samples: samplesWanted, repeats, rows, fleets })}\n`);
  else {
    process.stdout.write(
      `${hardware.cores} cores of ${hardware.cpu}, ${hardware.memory_gb} GB, Node ${hardware.node}; ${samplesWanted} samples, median of ${repeats}\n\n`,
    );
    for (const { way, samples_per_second, lowest, highest, cpu_us_per_sample } of rows) {
      const cpu = Object.entries(cpu_us_per_sample).map(([name, us]) => `${name} ${us.toFixed(2)}`);
      process.stdout.write(
        `${way.padEnd(28)}${String(samples_per_second).padStart(9)} samples/s (${lowest} … ${highest})  CPU µs a sample: ${cpu.join(", ")}\n`,
      );
    }
    for (const fleet of fleets) process.stdout.write(`\n${JSON.stringify(fleet)}\n`);
  }
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { createOracle, type Verdict } from "../fault/oracle.js";
import { readDuckDb } from "../fault/store-reader.js";
import { type FleetProcess, startFleetProcess } from "../load/fleet.js";
import { readJournal } from "../load/journal.js";
import { answers, type ManagedProcess, manageProcess } from "../testbed/managed-process.js";
import { fleetmarkBin } from "../testbed/program.js";
import { findFreePort, findServer } from "../testbed/servers.js";
import { attackGrpc, attackNats, type Tally } from "./attackers.js";

/**
 * Sends damaged frames to a collector over both links, beside healthy agents. The last line on standard output is one
 * JSON object; the exit code is 1 if the collector ended, stored anything of the damaged, grew without end, or failed
 * the healthy.
 */

const { values } = parseArgs({ options: { frames: { type: "string", default: "1000000" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const frames = Number(values.frames);
const attackers = 4;
/** MB by which the collector may be larger in the last third than in the second. */
const mostGrowth = 48;

const say = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
say(`seed ${seed}: make fuzz FRAMES=${frames} SEED=${seed} sends the same frames again`);

const folder = mkdtempSync(join(tmpdir(), "fleetmark-fuzz-"));
const processes: ManagedProcess[] = [];
const fleet: FleetProcess[] = [];
const cleanUp = async (): Promise<void> => {
  await Promise.all([...processes, ...fleet].map((process) => process.kill()));
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void cleanUp().finally(() => process.exit(130)));

async function startNats(): Promise<string | undefined> {
  const program = findServer("nats-server");
  if (program === undefined) return undefined;
  const [port, monitor] = [await findFreePort(), await findFreePort()];
  const args = ["-a", "127.0.0.1", "-p", String(port), "-m", String(monitor), "-js", "-sd", join(folder, "nats")];
  const isReady = () => answers(`http://127.0.0.1:${monitor}/healthz`);
  const nats = manageProcess({ name: "nats", command: [program, ...args], log: join(folder, "nats.log"), isReady });
  processes.push(nats);
  await nats.start();
  return `nats://127.0.0.1:${port}`;
}

const data = join(folder, "data");
const [port, httpPort] = [await findFreePort(), await findFreePort()];
const http = `http://127.0.0.1:${httpPort}`;

async function startCollector(natsUrl: string | undefined): Promise<ManagedProcess> {
  const file = join(folder, "collector.json");
  const config = {
    data_dir: data,
    grpc: { listen: `127.0.0.1:${port}` },
    http: { listen: `127.0.0.1:${httpPort}` },
    log: { level: "silent" },
    limits: { quarantine_bytes: "4MiB" },
    ...(natsUrl === undefined ? {} : { nats: { servers: [natsUrl] } }),
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [process.execPath, fleetmarkBin, "collector", "--config", file];
  const collector = manageProcess({
    name: "collector",
    command,
    log: join(folder, "collector.log"),
    isReady: () => answers(`${http}/healthz`),
  });
  processes.push(collector);
  await collector.start();
  return collector;
}

async function readMetrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

function readByCode(metrics: ReadonlyMap<string, number>, name: string): Record<string, number> {
  const found = [...metrics].flatMap(([key, value]) => {
    const code = new RegExp(`^fleetmark_${name}\\{.*code="([A-Z_]+)"`).exec(key)?.[1];
    return code === undefined || value === 0 ? [] : [[code, value] as const];
  });
  return Object.fromEntries(found);
}

const rssOf = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const shape = { groups: 2, fields: 5 };
const links = {
  grpc: { collector: { address: `127.0.0.1:${port}` } },
  nats: (url: string) => ({ link: "nats", nats: { servers: [url] } }),
};

function startHealthy(link: string, config: object): void {
  const spools = join(folder, `spools-${link}`);
  mkdirSync(spools);
  const options = {
    seed,
    shape,
    link: config,
    spools,
    hosts: [{ host: `healthy-${link}-1` }, { host: `healthy-${link}-2` }],
    intervalMs: 200,
  };
  fleet.push(startFleetProcess(link, { ...options, journal: join(folder, `${link}.journal`), log: join(folder, `${link}.log`) }));
}

/** Samples in the store that carry the name of a sender of damaged frames, or a measurement that nobody else has. */
async function countForeign(): Promise<{ samples: number; series: string[] }> {
  const instance = await DuckDBInstance.create(join(data, "fleetmark.duckdb"), { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  const sql = `SELECT measurement, field, tags, count(*) FROM series JOIN
    (SELECT series_id FROM numbers UNION ALL SELECT series_id FROM texts) ON series_id = id
    WHERE measurement NOT IN ('load', 'agent', 'collector') OR (tags LIKE '%fuzz%' AND measurement != 'agent') GROUP BY ALL`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS();
  connection.closeSync();
  instance.closeSync();
  return {
    samples: rows.reduce((sum, row) => sum + Number(row[3]), 0),
    series: rows.slice(0, 5).map((row) => row.slice(0, 3).join(" ")),
  };
}

async function judgeHealthy(): Promise<Verdict & { undelivered: number }> {
  const left = await Promise.all(fleet.map((process) => process.drain(60)));
  const journals = fleet.map(({ name }) => readJournal(join(folder, `${name}.journal`)));
  const oracle = createOracle(journals, { seed, shape, memoryMs: 0 });
  await processes.at(-1)?.stop();
  await readDuckDb(join(data, "fleetmark.duckdb"), oracle.see);
  return { ...oracle.judge(), undelivered: left.reduce((sum, samples) => sum + samples, 0) };
}

try {
  const natsUrl = await startNats();
  const collector = await startCollector(natsUrl);
  startHealthy("grpc", links.grpc);
  if (natsUrl !== undefined) startHealthy("nats", links.nats(natsUrl));

  const tallies = { grpc: { sent: 0 } as Tally, nats: { sent: 0 } as Tally };
  const share = Math.ceil(frames / attackers / (natsUrl === undefined ? 1 : 2));
  const attacks = Array.from({ length: attackers }, (_, i) => [
    attackGrpc({ host: "127.0.0.1", port }, `fuzz-grpc-${i}`, share, seed + i, tallies.grpc),
    ...(natsUrl === undefined ? [] : [attackNats(natsUrl, `fuzz-nats-${i}`, share, seed + 100 + i, tallies.nats)]),
  ]).flat();
  const rss: number[] = [];
  let over = false;
  const watch = async (): Promise<void> => {
    for (let i = 1; !over; i++) {
      await delay(250);
      rss.push(rssOf(collector.pid ?? 0));
      if (i % 40 === 0) say(`${tallies.grpc.sent + tallies.nats.sent} frames, collector ${Math.round(rss.at(-1) ?? 0)} MB`);
    }
  };
  const watching = watch();
  await Promise.all(attacks);
  // The stream has what was published; the collector is done once it has judged all of it.
  for (let before = -1, now = 0; before !== now; ) {
    before = now;
    await delay(2000);
    now = Object.values(readByCode(await readMetrics(), "batches_rejected_total")).reduce((sum, count) => sum + count, 0);
  }
  over = true;
  await watching;
  const metrics = await readMetrics();
  const { findings, ...healthy } = await judgeHealthy();
  const foreign = await countForeign();
  const mean = (part: readonly number[]): number => part.reduce((sum, mb) => sum + mb, 0) / Math.max(1, part.length);
  const third = Math.floor(rss.length / 3);
  const growth = mean(rss.slice(2 * third)) - mean(rss.slice(third, 2 * third));
  const crashes = [...processes, ...fleet].flatMap((process) => process.crashes);
  const summary = {
    seed,
    frames: { grpc: tallies.grpc.sent, nats: tallies.nats.sent },
    rejected: readByCode(metrics, "batches_rejected_total"),
    streams_refused: readByCode(metrics, "streams_refused_total"),
    stored: foreign.samples,
    stored_series: foreign.series,
    rss_mb: {
      second_third: Math.round(mean(rss.slice(third, 2 * third))),
      last_third: Math.round(mean(rss.slice(2 * third))),
      most: Math.round(Math.max(...rss)),
    },
    crashes,
    healthy: { ...healthy, findings },
    skipped: natsUrl === undefined ? "NATS: nats-server is not installed" : undefined,
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
  const { lost, doubled, changed, strangers, undelivered } = healthy;
  const isGood =
    foreign.samples + crashes.length + lost + doubled + changed + strangers + undelivered === 0 && growth < mostGrowth;
  await cleanUp();
  process.exit(isGood ? 0 : 1);
} finally {
  await cleanUp();
}

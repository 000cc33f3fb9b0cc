import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../testbed/program.js";
import { askInflux, findServer, type Server, startInflux } from "../testbed/servers.js";

/**
 * Measures both stores: `make bench-store`. Points a second and CPU time a point of client and server, for every way to
 * write; and how long questions take with a fleet's days behind them. `--json` prints one document, `--hosts 50 --days
 * 7 --points 500000` are the defaults.
 */

const folder = makeFolder();
const flag = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
};
const asJson = process.argv.includes("--json");
const [hosts, days, points] = [flag("hosts", 50), flag("days", 7), flag("points", 500_000)];

function runProof(name: string, args: readonly string[]): Promise<unknown> {
  const path = fileURLToPath(new URL(`../dist/store/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once("close", (code) => (code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`${name} ended with ${code}`))));
  });
}

/** CPU seconds of a process (proc(5), stat: the 14th and 15th field, in ticks of a hundredth). */
function readCpuS(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Waits until the server has done what the writes left it to do: it compacts afterwards. */
async function waitForRest(pid: number): Promise<void> {
  for (let waited = 0; waited < 60; waited++) {
    const before = readCpuS(pid);
    await delay(1000);
    if (readCpuS(pid) - before < 0.03) return;
  }
}

interface Written {
  readonly points: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const ways = {
  points: "client, Point objects",
  records: "client, writeRecords",
  block: "client, one joined block",
  store: "Fleetmark on InfluxDB",
  duckdb: "Fleetmark on DuckDB",
} as const;

async function measureWrites(server: Server): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const [way, name] of Object.entries(ways)) {
    const database = `write_${way}`;
    await askInflux(server.url, `CREATE DATABASE ${database}`);
    await waitForRest(server.pid());
    const before = readCpuS(server.pid());
    const target = way === "duckdb" ? `${folder.path}/write` : server.url;
    const written = (await runProof("store-writes", [way, target, database, String(points)])) as Written;
    await waitForRest(server.pid());
    if (way !== "duckdb") await checkStored(server, database);
    const serverCpuS = way === "duckdb" ? 0 : readCpuS(server.pid()) - before;
    rows.push({
      way: name,
      points_per_s: Math.round(written.points / written.seconds),
      client_us_per_point: Number(((written.cpuSeconds / written.points) * 1e6).toFixed(2)),
      server_us_per_point: Number(((serverCpuS / written.points) * 1e6).toFixed(2)),
    });
    await askInflux(server.url, `DROP DATABASE ${database}`);
  }
  return rows;
}

/** What was not stored was not measured. */
async function checkStored(server: Server, database: string): Promise<void> {
  const influxql = `SELECT count(usage_user) FROM ${database}.autogen.cpu; SELECT count(used_percent) FROM ${database}.autogen.mem`;
  const { results } = (await askInflux(server.url, influxql)) as { results: { series: { values: [number, number][] }[] }[] };
  const stored = results.reduce((sum, { series }) => sum + series[0].values[0][1], 0);
  if (stored !== points) throw new Error(`${database} holds ${stored} points instead of ${points}`);
}

interface Asked {
  readonly filled: { samples: number; points: number; results: number; runs: number; seconds: number };
  readonly questions: {
    question: string;
    answered: number;
    first_ms: number;
    median_ms: number;
    worst_ms: number;
    cpu_ms: number;
  }[];
}

async function measureQueries(server: Server): Promise<{ influx: Asked; duckdb: Asked; influx_cpu_s: number }> {
  const shape = [String(hosts), String(days)];
  const duckdb = (await runProof("store-queries", [...shape, `${folder.path}/queries`])) as Asked;
  const program = fileURLToPath(new URL("../../cli/bin/fleetmark.js", import.meta.url));
  await askInflux(server.url, "CREATE DATABASE fleet");
  const before = readCpuS(server.pid());
  const setup = spawn(process.execPath, [
    program,
    "store",
    "setup",
    "--yes",
    "--store-kind",
    "influxdb",
    "--store-url",
    server.url,
    "--store-database",
    "fleet",
  ]);
  const code = await new Promise((resolve) => setup.once("close", resolve));
  if (code !== 0) throw new Error(`store setup ended with ${code}`);
  const influx = (await runProof("store-queries", [...shape, server.url, "fleet", String(server.pid())])) as Asked;
  return { influx, duckdb, influx_cpu_s: readCpuS(server.pid()) - before };
}

function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    process.stdout.write(`${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join("  ")}\n`);
  }
}

if (findServer("influxd") === undefined) throw new Error("influxd is not installed: make servers fetches it");
const server = await startInflux();
try {
  const writes = await measureWrites(server);
  const { influx, duckdb } = await measureQueries(server);
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ writes, queries: { hosts, days, influx, duckdb } }, null, 2)}\n`);
  } else {
    print([
      [`writing ${points} points of 2 to 4 fields`, "points/s", "client µs/point", "server µs/point"],
      ...writes.map((row) => [row.way, row.points_per_s, row.client_us_per_point, row.server_us_per_point].map(String)),
    ]);
    const { samples, results, runs } = influx.filled;
    process.stdout.write(`\n${hosts} hosts, ${days} days: ${samples} samples, ${results} results, ${runs} runs\n`);
    const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
    print([
      ["question (median of 7, ms; worst in brackets)", "answered", "InfluxDB", "CPU", "DuckDB", "CPU"],
      ...influx.questions.map(({ question, answered, median_ms, worst_ms, cpu_ms }, i) => {
        const other = duckdb.questions[i];
        const same = other.answered === answered ? String(answered) : `${answered} / ${other.answered}`;
        return [
          question,
          same,
          `${ms(median_ms)} (${ms(worst_ms)})`,
          ms(cpu_ms),
          `${ms(other.median_ms)} (${ms(other.worst_ms)})`,
          ms(other.cpu_ms),
        ];
      }),
    ]);
  }
} finally {
  await server.remove();
  folder.remove();
}

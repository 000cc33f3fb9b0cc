import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { rollUpSpan } from "#collector/store/influx/hour-roll-up.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import { connectInflux } from "#collector/store/influx/server/connection.js";
import type { InfluxTarget } from "#collector/store/influx/server/target.js";
import { planInfluxSetup } from "#collector/store/influx/setup/setup.js";
import { hourUs } from "#collector/store/retention.js";
import { openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

/**
 * `make influx-check URL=… TOKEN=…`: everything that a store must do, on an InfluxDB of a person's own. It makes
 * databases or buckets named `fleetmark_check_…` and takes them away; ends with one line of JSON.
 */

const hosts = Number(process.env.HOSTS || 20);
const hours = Number(process.env.HOURS || 3);
const suites = ["conformance", "api", "retention", "move"];
const retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };
const folder = makeFolder();

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs the suites that every store passes. */
function runSuites(): Promise<{ passed: number; failed: string[] }> {
  const report = `${folder.path}/suites.json`;
  // InfluxDB 3 has no places for hours and records.
  const files = suites.map((name) => `test/store/${name}.test.ts`);
  const args = ["vitest", "run", ...files, "--reporter=json", `--outputFile=${report}`];
  return new Promise((resolve, reject) => {
    spawn("npx", ["--no-install", ...args], { stdio: ["ignore", 2, 2] })
      .once("error", reject)
      .once("exit", () => {
        const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as {
          numPassedTests: number;
          testResults: { message: string; assertionResults: { fullName: string; status: string }[] }[];
        };
        const failed = testResults.flatMap(({ message, assertionResults }) => [
          ...(message === "" ? [] : [message]),
          ...assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
        ]);
        resolve({ passed: numPassedTests, failed });
      });
  });
}

/** Runs the program as a person does; what it prints as JSON. */
async function runFleetmark(args: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ["cli/bin/fleetmark.js", ...args], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
}

function writeConfig(name: string, { url, database, org, token }: InfluxTarget): string {
  const base = `${folder.path}/${name}`;
  mkdirSync(base);
  writeFileSync(`${base}/token`, token, { mode: 0o600 });
  const store = { kind: "influxdb", url, database, org, token_file: `${base}/token`, insecure: true, timeout: "60s" };
  writeFileSync(`${base}/collector.yaml`, JSON.stringify({ data_dir: `${base}/data`, store }));
  return `${base}/collector.yaml`;
}

/** Fields of a host: 131 of five measurements, as an agent on a machine of some size sends them. */
const shape = [
  { measurement: "cpu", tag: "cpu", values: 5, fields: 10 },
  { measurement: "mem", tag: undefined, values: 1, fields: 20 },
  { measurement: "disk", tag: "path", values: 3, fields: 7 },
  { measurement: "diskio", tag: "name", values: 2, fields: 10 },
  { measurement: "net", tag: "interface", values: 2, fields: 10 },
] as const;

/** Writes an hour of one host, a moment every ten seconds. */
async function writeHour(store: ReturnType<typeof openInfluxStore>, host: string, startUs: number): Promise<number> {
  const builder = new BatchBuilder();
  for (let timeUs = startUs; timeUs < startUs + hourUs; timeUs += 10e6) {
    for (const { measurement, tag, values, fields } of shape) {
      for (let value = 0; value < values; value++) {
        const own = Object.fromEntries(Array.from({ length: fields }, (_, i) => [`field_${i}`, Math.random() * 100]));
        builder.add({ measurement, tags: { host, ...(tag === undefined ? {} : { [tag]: `v${value}` }) }, timeUs, fields: own });
      }
    }
  }
  const samples = builder.samples;
  await store.write([builder.build({ host, epochUs: startUs, sequence: 1 })], startUs);
  return samples;
}

/** What the server says of the memory that it uses, in MiB. */
async function readHeapMb({ url, token }: InfluxTarget): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Token ${token}` } });
  return Number(/^go_memstats_heap_inuse_bytes (\S+)/m.exec(await answer.text())?.[1]) / 2 ** 20;
}

/** Writes hours of a fleet and rolls them up, and says what that costs the server and us. */
async function measureRollUp(target: InfluxTarget) {
  for (const step of (await planInfluxSetup({ target, retention, nowUs: Date.now() * 1000 })).steps) await step.run();
  const store = openInfluxStore({ ...target, gzip: false }, async (line, reason) => {
    throw new Error(`refused ${line}: ${reason}`);
  });
  const endUs = Math.floor((Date.now() * 1000) / hourUs) * hourUs;
  const startUs = endUs - hours * hourUs;
  let samples = 0;
  for (let at = startUs; at < endUs; at += hourUs) {
    for (let host = 0; host < hosts; host++) samples += await writeHour(store, `host${String(host).padStart(4, "0")}`, at);
    say(`${samples} samples written`);
  }
  await store.close();
  const heapsMb = [await readHeapMb(target)];
  const watching = setInterval(() => {
    readHeapMb(target).then(
      (heapMb) => heapsMb.push(heapMb),
      () => undefined,
    );
  }, 500);
  const server = connectInflux({ ...target, timeoutMs: 600_000 });
  const [begin, ownCpu] = [performance.now(), process.cpuUsage()];
  await rollUpSpan(server, { startUs, endUs });
  const seconds = (performance.now() - begin) / 1e3;
  const { user, system } = process.cpuUsage(ownCpu);
  clearInterval(watching);
  const [counted] = await server.query('SELECT count("mean_field_0") FROM "hourly"."cpu"');
  await server.close();
  const hoursMissing = hosts * hours * 5 - Number(counted?.values[0]?.[1] ?? 0);
  const round = (value: number): number => Math.round(value * 10) / 10;
  return {
    hosts,
    hours,
    samples,
    seconds: round(seconds),
    server_heap_before_mb: round(heapsMb[0]),
    server_heap_peak_mb: round(Math.max(...heapsMb)),
    own_cpu_s: round((user + system) / 1e6),
    own_rss_mb: round(process.memoryUsage.rss() / 2 ** 20),
    hours_missing: hoursMissing,
  };
}

/** Sets up, checks, fills, exports and imports, by the commands that a person gives. */
async function tryCommands(bed: Awaited<ReturnType<typeof openInfluxBed>>) {
  const [from, to] = [bed.nameDatabase(), bed.nameDatabase()];
  const [fromConfig, toConfig] = [writeConfig("from", from), writeConfig("to", to)];
  const steps: number[] = [];
  for (const config of [fromConfig, fromConfig, toConfig]) {
    const plan = (await runFleetmark(["store", "setup", "--config", config, "--yes", "--json"])) as { steps: unknown[] };
    steps.push(plan.steps.length);
  }
  const checks = (await runFleetmark(["store", "check", "--config", fromConfig, "--json"])) as { ok: boolean }[];
  const store = openInfluxStore(from, async () => undefined);
  const samples = await writeHour(store, "h1", Math.floor((Date.now() * 1000) / hourUs) * hourUs - 2 * hourUs);
  await store.close();
  const file = `${folder.path}/all.lp.gz`;
  const exported = (await runFleetmark(["store", "export", file, "--config", fromConfig, "--json"])) as { samples: number };
  const imports = (await runFleetmark(["store", "import", file, "--config", toConfig, "--json"])) as { samples: number }[];
  return {
    setup_steps: steps[0],
    setup_again_steps: steps[1],
    checks_failed: checks.filter(({ ok }) => !ok).length,
    written: samples,
    exported: exported.samples,
    imported: imports[0].samples,
  };
}

const bed = await openInfluxBed();
try {
  const { passed, failed } = await runSuites();
  const commands = await tryCommands(bed);
  const roll_up = bed.generation === "2" ? await measureRollUp(bed.nameDatabase()) : null;
  const isMoved = commands.imported === commands.exported && commands.exported >= commands.written;
  const isSetUp = commands.setup_again_steps === 0 && commands.checks_failed === 0;
  const ok = failed.length === 0 && isMoved && isSetUp && (roll_up?.hours_missing ?? 0) === 0;
  process.stdout.write(
    `${JSON.stringify({ ok, url: bed.url, generation: bed.generation, passed, failed, commands, roll_up })}\n`,
  );
  process.exitCode = ok ? 0 : 1;
} finally {
  await bed.remove();
  folder.remove();
}

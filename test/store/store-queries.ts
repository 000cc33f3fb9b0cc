import { readFileSync } from "node:fs";
import type { Point } from "@fleetmark/shared/model/series";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { collectorConfigSchema } from "#collector/config.js";
import { openConfiguredStore } from "#collector/store/engines/registry.js";
import { readHosts } from "#collector/store/hosts.js";
import type { HistoryQuery, Store } from "#collector/store/store.js";
import { buildBatches, createChance, makeRun, makeTelemetry, nameHost, runEveryUs, stepUs } from "./fleet-data.js";

/**
 * Fills a store with what a fleet sends in some days, asks it what people ask, and prints how long each answer took, as
 * JSON: `node store-queries.js HOSTS DAYS URL DATABASE PID`, or with a directory alone for a data file. PID is the
 * server's: CPU time is that of both processes, which tells on a busy machine what the time that passed does not.
 */

const [, , hostCount, dayCount, target, database, serverPid] = process.argv;
const [hosts, days] = [Number(hostCount), Number(dayCount)];
const hourUs = 3.6e9;
const dayUs = 24 * hourUs;
const nowUs = Math.floor((Date.now() * 1000) / stepUs) * stepUs;
const startUs = nowUs - days * dayUs;
/** Batches of the filling hold so much of each host. */
const batchUs = 10 * 60e6;
const repetitions = 7;

const config =
  database === undefined
    ? collectorConfigSchema.parse({ data_dir: target })
    : collectorConfigSchema.parse({ store: { kind: "influxdb", url: target, database, timeout: "120s" } });

/**
 * CPU milliseconds of this process and of the server (proc(5), stat: the 14th and 15th field, in ticks of a hundredth
 * of a second).
 */
function readCpuMs(): number {
  const { user, system } = process.cpuUsage();
  const fields = serverPid === undefined ? [] : readFileSync(`/proc/${serverPid}/stat`, "utf8").split(") ")[1].split(" ");
  return (user + system) / 1e3 + (serverPid === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * 10);
}

interface Filled {
  readonly samples: number;
  readonly points: number;
  readonly results: number;
  readonly runs: number;
  readonly seconds: number;
}

async function fill(store: Store): Promise<Filled> {
  const started = performance.now();
  const chances = Array.from({ length: hosts }, (_, host) => createChance(host + 1));
  let [samples, points, results, runs, sequence] = [0, 0, 0, 0, 0];
  for (let fromUs = startUs; fromUs < nowUs; fromUs += batchUs) {
    const byHost = new Map<string, Point[]>();
    for (let host = 0; host < hosts; host++) {
      const name = nameHost(host);
      const own: Point[] = [];
      for (let timeUs = fromUs; timeUs < Math.min(nowUs, fromUs + batchUs); timeUs += stepUs)
        own.push(...makeTelemetry(name, timeUs, chances[host]));
      if ((fromUs - startUs) % runEveryUs === 0) {
        const run = makeRun(name, Math.round((fromUs - startUs) / runEveryUs), fromUs + 120e6, chances[host]);
        own.push(...run);
        runs++;
        results += run.filter(({ measurement }) => measurement === "benchmark").length;
      }
      if (fromUs === startUs) {
        own.push({
          measurement: "agent",
          tags: { host: name },
          timeUs: fromUs,
          fields: { version: "0.1.0", hardware_class: "c", inventory: "{}" },
        });
      }
      points += own.length;
      for (const point of own) samples += Object.keys(point.fields).length;
      byHost.set(name, own);
    }
    await store.write(buildBatches(byHost, startUs, ++sequence), nowUs);
  }
  return { samples, points, results, runs, seconds: (performance.now() - started) / 1e3 };
}

/** What people and pages ask. Each returns how many points or records came. */
function listQuestions(store: Store): Record<string, () => Promise<number>> {
  const cpu = { measurement: "cpu", field: "usage_user", tags: {}, fromUs: startUs, toUs: nowUs, maxPoints: 50_000 } as const;
  const history = (query: Partial<HistoryQuery>) => async (): Promise<number> => {
    const histories = await store.history({ ...cpu, bucketUs: hourUs, aggregate: "mean", ...query });
    return histories.reduce((sum, { points }) => sum + points.length, 0);
  };
  const one = { tags: { host: nameHost(hosts - 1) } };
  const count =
    <T>(ask: () => Promise<T[]>) =>
    async (): Promise<number> =>
      (await ask()).length;
  const lastRun = `${nameHost(1)}-run-${Math.floor((nowUs - startUs - 1) / runEveryUs)}`;
  return {
    "history: 1 host, 1 day by 5 min, mean": history({ ...one, fromUs: nowUs - dayUs, bucketUs: 300e6 }),
    [`history: 1 host, ${days} days by 40 min, mean`]: history({ ...one, bucketUs: 2400e6 }),
    [`history: 1 host, ${days} days by 40 min, p95`]: history({ ...one, bucketUs: 2400e6, aggregate: "p95" }),
    [`history: ${hosts} hosts, 1 day by 5 min, mean`]: history({ fromUs: nowUs - dayUs, bucketUs: 300e6 }),
    [`history: ${hosts} hosts, ${days} days by 1 h, mean`]: history({}),
    [`history: ${hosts} hosts, ${days} days by 1 h, p50`]: history({ aggregate: "p50" }),
    [`history: ${hosts} hosts, ${days} days by 1 h, p95`]: history({ aggregate: "p95" }),
    [`history: a KPI of ${hosts} hosts, ${days} days, last`]: history({ measurement: "kpi", field: "value", aggregate: "last" }),
    "latest results of the fleet": count(() => store.readLatest(resultRecord, {})),
    "latest results of 1 host": count(() => store.readLatest(resultRecord, { host: nameHost(1) })),
    "results of a run": count(() => store.findByText(resultRecord, "run", lastRun)),
    "results of a run that is not there": count(() => store.findByText(resultRecord, "run", "none")),
    "the last 100 runs": count(() => store.readNewest(runRecord, { tags: {}, limit: 100 })),
    hosts: count(() => readHosts(store)),
    "series of all measurements": count(() => store.listSeries()),
  };
}

const store = await openConfiguredStore(config.store, config.data_dir, async (line, reason) => {
  throw new Error(`refused ${line}: ${reason}`);
});
const filled = await fill(store);
// As the nights of those days would have.
await store.retain(nowUs);
process.stderr.write(`filled: ${JSON.stringify(filled)}\n`);
const questions: { question: string; answered: number; first_ms: number; median_ms: number; worst_ms: number; cpu_ms: number }[] =
  [];
for (const [question, ask] of Object.entries(listQuestions(store))) {
  const times: number[] = [];
  let answered = 0;
  const cpuBefore = readCpuMs();
  for (let i = 0; i < repetitions; i++) {
    const started = performance.now();
    answered = await ask();
    times.push(performance.now() - started);
  }
  const sorted = [...times].sort((a, b) => a - b);
  const cpu_ms = (readCpuMs() - cpuBefore) / repetitions;
  const [first_ms, median_ms, worst_ms] = [times[0], sorted[Math.floor(repetitions / 2)], sorted[repetitions - 1]];
  questions.push({ question, answered, first_ms, median_ms, worst_ms, cpu_ms });
}
await store.close();
process.stdout.write(`${JSON.stringify({ filled, questions })}\n`);

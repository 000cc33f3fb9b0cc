import type { Point } from "@fleetmark/shared/model/series";
import { formatAddress } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createFleet } from "#collector/fleet/fleet.js";
import { type HttpServer, startHttpServer } from "#collector/http/server.js";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import type { Store } from "#collector/store/store.js";
import { createMetrics } from "#collector/telemetry/metrics.js";
import { addDerived, buildBatch, makeResult, makeRun } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

const startUs = 1_700_000_000_000_000;

/** Two hosts with telemetry, runs, results of two suites and what they give. */
function makePoints(host: string): Point[] {
  const results = [0, 1, 2].flatMap((run) =>
    ["policy_forward", "environment_step"].map((benchmark, i) =>
      makeResult({
        host,
        benchmark,
        run: `${host}-${run}`,
        suite: run === 0 ? "full" : "quick",
        time_us: startUs + run * 10e6 + i,
        ...(benchmark === "environment_step" ? { category: "environment", runtime: "js", params: "env=ChemicalReactor-v0" } : {}),
      }),
    ),
  );
  const runs = [0, 1, 2].map((run) =>
    makeRun({ host, run: `${host}-${run}`, time_us: startUs + run * 10e6 + 5, started_us: startUs }),
  );
  const cpu = Array.from({ length: 500 }, (_, i) => ({
    measurement: "cpu",
    tags: { cpu: `cpu${i % 2}` },
    timeUs: startUs + i * 100_000,
    fields: { usage_user: (i * 37) % 101, note: `n${i % 3}` },
  }));
  const agent = { version: "1", hardware_class: "c1", inventory: '{"cpu":{"model":"x"}}' };
  return [
    ...results.map(resultRecord.toPoint),
    ...runs.map(runRecord.toPoint),
    ...cpu,
    { measurement: "agent", tags: {}, timeUs: startUs, fields: agent },
  ];
}

const range = "from=2023-11-14T22:13:00Z&to=2023-11-14T22:15:00Z";

const paths = [
  "hosts",
  "runs",
  "runs?host=h1&limit=2",
  `runs?limit=2&before_us=${startUs + 20e6 + 5}`,
  "results",
  "results?host=h2",
  "results?suite=full",
  "results?category=environment&benchmark=environment_step",
  "results?run=h1-1",
  "results?run=h1-1&category=rl",
  "results?run=none",
  "kpis",
  "kpis?run=h2-2",
  ...["mean", "min", "max", "last", "p50", "p95", "count"].map(
    (aggregate) => `series?measurement=cpu&field=usage_user&${range}&bucket=7s&aggregate=${aggregate}`,
  ),
  `series?measurement=cpu&field=usage_user&tags=cpu=cpu1&host=h1&${range}`,
  `series?measurement=cpu&field=note&${range}`,
  `series?measurement=kpi&field=value&${range}`,
  `series?measurement=cpu&field=usage_user&${range}&bucket=1ms`,
  "series?measurement=cpu&field=usage_user&from=2020-01-01T00:00:00Z&to=2019-01-01T00:00:00Z",
  ...["benchmark", "run", "run_window", "kpi", "agent"].flatMap((kind) => [
    `records/${kind}`,
    `records/${kind}?host=h1&limit=2`,
    `records/${kind}?tags=host=h2&before_us=${startUs + 20e6}`,
  ]),
  "records/kpi?run=h1-1",
  "records/benchmark?run=h1-1&tags=category=rl",
  "records/run_window?run=h2-2",
  "records/run?tags=suite=none",
  "series/names",
  "series/names?measurement=cpu",
  "series/names?measurement=none",
];

describeInflux("the HTTP API", () => {
  const folder = makeFolder();
  const opened: { store: Store; http: HttpServer }[] = [];
  let bed: InfluxBed;

  beforeAll(async () => {
    bed = await openInfluxBed();
    const refuse = async (line: string, reason: string): Promise<void> => {
      throw new Error(`refused ${line}: ${reason}`);
    };
    const target = await bed.makeDatabase();
    for (const store of [await openStore(folder.path), openInfluxStore(target, refuse)]) {
      for (const host of ["h1", "h2"]) await store.write([addDerived(buildBatch(1, makePoints(host), host))], startUs + 7);
      const parts = {
        store,
        fleet: createFleet(10),
        metrics: createMetrics(),
        logger: pino({ level: "silent" }),
        findObstacle: () => undefined,
        findTroubles: () => [],
      };
      opened.push({ store, http: await startHttpServer({ host: "127.0.0.1", port: 0 }, parts) });
    }
  });
  afterAll(async () => {
    for (const { store, http } of opened) {
      await http.stop();
      await store.close();
    }
    await bed?.remove();
    folder.remove();
  });

  it.each(paths)("answers /api/v1/%s alike on both stores", async (path) => {
    const [duck, influx] = await Promise.all(
      opened.map(async ({ http }) => {
        const answer = await fetch(`http://${formatAddress(http.address)}/api/v1/${path}`);
        // How old a KPI is depends on when it is asked for.
        const text = (await answer.text()).replaceAll(/"age_s":[\d.e+-]+/g, '"age_s":0');
        return { status: answer.status, body: JSON.parse(text) };
      }),
    );
    expect(influx).toEqual(duck);
    const refused = /1ms|2019/.test(path);
    expect(duck.status).toBe(refused ? 400 : 200);
    if (!refused && !/none|note/.test(path)) expect(JSON.stringify(duck.body).length).toBeGreaterThan(60);
  });
});

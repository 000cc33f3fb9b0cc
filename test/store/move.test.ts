import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { canonicalTags, type Point } from "@fleetmark/shared/model/series";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CollectorConfig, collectorConfigSchema } from "#collector/config.js";
import { exportStore } from "#collector/move/export.js";
import { type ImportReport, importFile } from "#collector/move/import.js";
import { openConfiguredStore } from "#collector/store/engines/registry.js";
import { readHosts } from "#collector/store/hosts.js";
import { connectInflux, type InfluxServer } from "#collector/store/influx/server/connection.js";
import type { InfluxTarget } from "#collector/store/influx/server/target.js";
import { planInfluxSetup } from "#collector/store/influx/setup/setup.js";
import { hourUs } from "#collector/store/retention.js";
import type { ChunkFilter, Store } from "#collector/store/store.js";
import { buildBatch, makeResult, makeRun } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

const folder = makeFolder();
afterAll(folder.remove);

const nowUs = Date.now() * 1000;
const filter: ChunkFilter = { measurements: [], fromUs: 0, toUs: Number.MAX_SAFE_INTEGER };
let count = 0;

function makeDataFile(): CollectorConfig {
  return collectorConfigSchema.parse({ data_dir: `${folder.path}/data-${++count}` });
}

async function withStore<T>(config: CollectorConfig, act: (store: Store) => Promise<T>): Promise<T> {
  const store = await openConfiguredStore(config.store, config.data_dir, async (line, reason) => {
    throw new Error(`refused ${line}: ${reason}`);
  });
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

async function write(config: CollectorConfig, points: readonly Point[]): Promise<void> {
  await withStore(config, async (store) => {
    await store.write([buildBatch(1, points)], nowUs);
  });
}

async function move(from: CollectorConfig, to: CollectorConfig, extension: string): Promise<ImportReport> {
  const file = `${folder.path}/move-${++count}.${extension}`;
  await exportStore(from, file, filter, () => {});
  return load(to, file);
}

function load(to: CollectorConfig, file: string, changes: Partial<ChunkFilter> = {}): Promise<ImportReport> {
  const options = { filter: { ...filter, ...changes }, precision: undefined, rejectedFile: `${file}.rejected` };
  return importFile(to, file, options, () => {});
}

/** Everything that a store holds, as text in an order that does not depend on it. */
function dump(config: CollectorConfig): Promise<string[]> {
  return withStore(config, async (store) => {
    const found: string[] = [];
    for await (const { kind, samples } of store.read(filter)) {
      for (const columns of [samples.numbers, samples.texts]) {
        columns.series.forEach((at, i) => {
          const { measurement, field, tags } = samples.series[at];
          const value = columns.values[i];
          found.push(
            `${kind} ${measurement} ${field} ${canonicalTags(tags)} ${columns.timeUs[i]} ${Object.is(value, -0) ? "-0" : JSON.stringify(value)}`,
          );
        });
      }
    }
    return found.sort();
  });
}

function awkward(): Point[] {
  const texts = ['a "quoted"\nline', "ends in \\", "é 日本 🙂", "", 'x="1" 2', "\t\r\n"];
  const tags = ["a b", "a,b", "a=b", 'a"b', "a\\b", "a\\,b", "é 日本 🙂", "#"];
  return [
    ...tags.map((cpu, i) => ({
      measurement: "cpu",
      tags: { cpu },
      timeUs: nowUs - i,
      fields: { usage_user: [1e308, -0, 5e-324, 0.1][i % 4] },
    })),
    ...texts.map((note, i) => ({ measurement: "notes", tags: { n: String(i) }, timeUs: nowUs - i, fields: { note, value: i } })),
  ];
}

describe("moving a data file into another", () => {
  it.each(["lp", "lp.gz", "parquet"])("loses nothing by way of .%s, hours included", async (extension) => {
    const [from, to] = [makeDataFile(), makeDataFile()];
    const old = Array.from({ length: 500 }, (_, i) => ({
      measurement: "cpu",
      tags: { cpu: `c ${i % 3}` },
      timeUs: nowUs - 60 * 24 * hourUs + i * 60e6,
      fields: { usage_user: Math.sin(i) },
    }));
    await write(from, [...awkward(), ...old, resultRecord.toPoint(makeResult()), runRecord.toPoint(makeRun())]);
    await withStore(from, (store) => store.retain(nowUs));
    const before = await dump(from);
    expect(before.filter((line) => line.startsWith("hours")).length).toBeGreaterThan(100);
    expect(await move(from, to, extension)).toMatchObject({ rejected: 0, samples: before.length });
    expect(await dump(to)).toEqual(before);
    const ask = (config: CollectorConfig) =>
      withStore(config, async (store) => ({
        hosts: await readHosts(store),
        results: await store.readLatest(resultRecord, {}),
        runs: await store.readNewest(runRecord, { tags: {}, limit: 5 }),
        p95: await store.history({
          measurement: "cpu",
          field: "usage_user",
          tags: {},
          fromUs: 0,
          toUs: nowUs,
          bucketUs: 1e12,
          maxPoints: 1e5,
          aggregate: "p95",
        }),
      }));
    const sort = (answer: Awaited<ReturnType<typeof ask>>) => ({
      ...answer,
      p95: [...answer.p95].sort((a, b) => (canonicalTags(a.tags) < canonicalTags(b.tags) ? -1 : 1)),
    });
    expect(sort(await ask(to))).toEqual(sort(await ask(from)));
  });

  it("changes nothing when it is done again, and adds what is new", async () => {
    const [from, to] = [makeDataFile(), makeDataFile()];
    await write(from, awkward());
    await move(from, to, "lp");
    const once = await dump(to);
    await move(from, to, "parquet");
    expect(await dump(to)).toEqual(once);
    const file = `${folder.path}/more.lp`;
    writeFileSync(file, `# PRECISION: us\ncpu,host=h9 usage_user=1 ${nowUs}\ncpu,host=h9 usage_user=2 ${nowUs}\n`);
    await load(to, file);
    expect(await dump(to)).toEqual([...once, `samples cpu usage_user {"host":"h9"} ${nowUs} 2`].sort());
  });

  it("moves some measurements and a range alone", async () => {
    const [from, to] = [makeDataFile(), makeDataFile()];
    await write(from, awkward());
    const file = `${folder.path}/part.lp`;
    const report = await exportStore(from, file, { measurements: ["cpu"], fromUs: nowUs - 2, toUs: nowUs }, () => {});
    expect(report.samples).toBe(2);
    expect(readFileSync(file, "utf8").match(/^cpu,.*$/gm)).toHaveLength(2);
    await exportStore(from, file, filter, () => {});
    expect(await load(to, file, { measurements: ["notes"], fromUs: nowUs - 1 })).toMatchObject({ samples: 4 });
  });

  it("keeps what is no line, with its number and the reason, and stores the rest", async () => {
    const to = makeDataFile();
    const file = `${folder.path}/bad.lp`;
    const lines = [
      `cpu,host=a usage_user=1 ${nowUs}000`,
      "rubbish",
      "",
      "# a comment",
      "cpu,host=a usage_user=x 1700000000000000001",
    ];
    writeFileSync(
      file,
      [...lines, 'cpu,host=a note="open 1700000000000000002', `cpu,host=a usage_user=2 ${nowUs}999`].join("\n"),
    );
    const report = await load(to, file);
    expect(report).toMatchObject({ points: 2, rejected: 3, rejected_file: `${file}.rejected` });
    expect(report.reasons).toEqual([
      "line 2: no fields",
      'line 5: "x" is no finite number, and no text in quotes',
      'line 6: the text of "note" has no end',
    ]);
    expect(readFileSync(`${file}.rejected`, "utf8")).toContain("# line 2: no fields\nrubbish\n");
    // The last two share their microsecond.
    expect(await dump(to)).toHaveLength(1);
  });

  it("says that a file is missing, cut short or none", async () => {
    const [from, to] = [makeDataFile(), makeDataFile()];
    await write(from, awkward());
    await expect(load(to, `${folder.path}/none.lp`)).rejects.toMatchObject({ code: "FILE_FAILED" });
    await expect(load(to, `${folder.path}/none.csv`)).rejects.toMatchObject({ code: "USAGE" });
    const file = `${folder.path}/cut.lp.gz`;
    await exportStore(from, file, filter, () => {});
    expect(gunzipSync(readFileSync(file)).toString()).toContain("# CONTEXT-RETENTION-POLICY: autogen\n");
    writeFileSync(file, readFileSync(file).subarray(0, -20));
    await expect(load(to, file)).rejects.toMatchObject({
      code: "FILE_FAILED",
      message: expect.stringMatching(/cannot read.*unexpected end/),
    });
    writeFileSync(`${folder.path}/none.parquet`, "PAR1 but no more");
    await expect(load(to, `${folder.path}/none.parquet`)).rejects.toMatchObject({ code: "FILE_FAILED" });
    await expect(exportStore(from, `${folder.path}/no/such/folder.lp`, filter, () => {})).rejects.toMatchObject({
      code: "FILE_FAILED",
    });
    await expect(exportStore(makeDataFile(), `${folder.path}/x.lp`, filter, () => {})).rejects.toMatchObject({
      code: "DATA_MISSING",
    });
  });
});

describeInflux("moving a trial to InfluxDB and back", () => {
  let bed: InfluxBed;
  beforeAll(async () => {
    bed = await openInfluxBed();
  });
  afterAll(() => bed?.remove());

  async function makeDatabase(isSetUp: boolean): Promise<{ config: CollectorConfig; target: InfluxTarget }> {
    const target = isSetUp ? bed.nameDatabase() : await bed.makeDatabase();
    const { url, database, org, token } = target;
    const tokenFile = `${folder.path}/token-${++count}`;
    writeFileSync(tokenFile, token);
    const config = collectorConfigSchema.parse({
      store: { kind: "influxdb", url, database, org, token_file: tokenFile, timeout: "60s" },
    });
    if (isSetUp) {
      const plan = await planInfluxSetup({ target, retention: config.store.retention, nowUs });
      for (const step of plan.steps) await step.run();
    }
    return { config, target };
  }

  async function use<T>(target: InfluxTarget, act: (server: InfluxServer) => Promise<T>): Promise<T> {
    const server = connectInflux(target);
    return act(server).finally(() => server.close());
  }

  it("loses nothing: hours, records, texts and hosts", async () => {
    const [from, back] = [makeDataFile(), makeDataFile()];
    const { config: influx, target } = await makeDatabase(true);
    const series = Array.from({ length: 300 }, (_, i) => ({
      measurement: "cpu",
      tags: { cpu: "c" },
      timeUs: nowUs - (i < 150 ? 60 : 10) * 24 * hourUs + i * 600e6,
      fields: { usage_user: i / 7 },
    }));
    const [oldKpi] = deriveKpis(makeResult({ time_us: nowUs - 300 * 24 * hourUs, run: "old" }));
    if (oldKpi === undefined) throw new Error("the result gives no KPI");
    const oldResult = makeResult({ time_us: nowUs - 300 * 24 * hourUs, run: "old" });
    const agent = {
      measurement: "agent",
      tags: {},
      timeUs: nowUs - 50 * 24 * hourUs,
      fields: { version: "1", hardware_class: "c", inventory: "{}" },
    };
    await write(from, [
      ...awkward(),
      ...series,
      // Only hours and records are left of these.
      { measurement: "disk", tags: { path: "/" }, timeUs: nowUs - 60 * 24 * hourUs, fields: { used: 1 } },
      kpiRecord.toPoint(oldKpi),
      agent,
      resultRecord.toPoint(oldResult),
      resultRecord.toPoint(makeResult()),
      runRecord.toPoint(makeRun()),
    ]);
    await withStore(from, (store) => store.retain(nowUs));
    const before = await dump(from);
    expect(await move(from, influx, "lp.gz")).toMatchObject({ rejected: 0 });
    expect(await dump(influx)).toEqual(before);
    expect(await move(influx, back, "parquet")).toMatchObject({ rejected: 0 });
    expect(await dump(back)).toEqual(before);
    // What came by import and is older than the nightly roll-up looks back is rolled up too.
    const [rolled] = await use(target, (server) =>
      server.query('SELECT count(mean_usage_user) FROM "hourly"."cpu" WHERE time >= now() - 20d'),
    );
    expect(rolled.values[0][1]).toBeGreaterThan(20);
  });

  it("loses nothing of any points", async () => {
    const tag = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((text) => !/\p{Cc}/u.test(text) && !text.endsWith("\\"));
    const point = fc.record({
      cpu: tag,
      timeUs: fc.integer({ min: nowUs - 1e12, max: nowUs }),
      number: fc.double({ noNaN: true, noDefaultInfinity: true }),
      text: fc.string({ unit: "grapheme", maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(point, { minLength: 1, maxLength: 30 }),
        fc.constantFrom("lp", "parquet"),
        async (points, extension) => {
          const [from, back] = [makeDataFile(), makeDataFile()];
          const { config: influx } = await makeDatabase(false);
          const own = points.map(({ cpu, timeUs, number, text }, i) => ({
            measurement: "m",
            tags: { cpu, n: String(i) },
            timeUs,
            fields: { number, text },
          }));
          await write(from, own);
          const before = await dump(from);
          await move(from, influx, extension);
          await move(influx, back, extension);
          expect(await dump(back)).toEqual(before);
        },
      ),
      { numRuns: 8, examples: [[[{ cpu: 'a\\,b "', timeUs: nowUs - 1, number: 1e308, text: 'two\nlines \\ "' }], "lp"]] },
    );
  });

  it("tells the line that the server refuses, and why", async () => {
    const { config: influx, target } = await makeDatabase(true);
    await use(target, (server) => server.write([`cpu,host=b usage_user="text" ${nowUs}`]));
    const file = `${folder.path}/conflict.lp`;
    const recent = Math.floor(nowUs / 1e6);
    const lines = [
      `cpu,host=a usage_idle=1 ${recent}`,
      `cpu,host=a\\ b usage_user=1 ${recent}`,
      "cpu,host=a usage_idle=1 1000000000",
    ];
    writeFileSync(file, `# PRECISION: s\n${lines.join("\n")}\n`);
    const report = await load(influx, file);
    expect(report).toMatchObject({ rejected: 2 });
    expect([...report.reasons].sort()).toEqual([
      expect.stringMatching(/^line 3: .*field type conflict/),
      expect.stringMatching(/^line 4: .*retention policy/),
    ]);
  });

  it("says that hours have no place before setup", async () => {
    const { config: influx } = await makeDatabase(false);
    const file = `${folder.path}/hours.lp`;
    writeFileSync(file, "# PRECISION: us\n# CONTEXT-RETENTION-POLICY: hourly\ncpu,host=a mean_x=1 5\n");
    await expect(load(influx, file)).rejects.toMatchObject({ message: expect.stringMatching(/fleetmark store setup/) });
  });
});

import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import type { Point } from "@fleetmark/shared/model/series";
import { alertRecord, notificationRecord, silenceRecord } from "@fleetmark/shared/records/alert";
import { auditRecord } from "@fleetmark/shared/records/audit";
import { baselineRecord } from "@fleetmark/shared/records/baseline";
import { campaignRecord } from "@fleetmark/shared/records/campaign";
import { commandRecord } from "@fleetmark/shared/records/command";
import { introductionRecord } from "@fleetmark/shared/records/introduction";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { recordKinds } from "@fleetmark/shared/records/registry";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { deriveRunWindow, runWindowRecord } from "@fleetmark/shared/records/run-window";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { readHosts } from "#collector/store/hosts.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import type { Store } from "#collector/store/store.js";
import { buildBatch, makeResult, makeRun } from "../../collector/test/support.js";
import {
  makeAlert,
  makeAuditRecord,
  makeBaseline,
  makeCampaignRecord,
  makeCommandRecord,
  makeNotification,
  makeSilence,
  makeSkipped,
  makeVerdict,
  makeVerdictMark,
} from "../../shared/test/records.js";
import { describeInflux, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

/** What every store must do alike. */

interface Bed {
  /** An empty store. */
  open(): Promise<Store>;
  remove(): Promise<void>;
}

async function makeDuckBed(): Promise<Bed> {
  const folder = makeFolder();
  let count = 0;
  return { open: () => openStore(`${folder.path}/${++count}`), remove: async () => folder.remove() };
}

async function makeInfluxBed(): Promise<Bed> {
  const bed = await openInfluxBed();
  const open = async (): Promise<Store> => {
    const store = openInfluxStore(await bed.makeDatabase(), async (line, reason) => {
      throw new Error(`the server refused ${line}: ${reason}`);
    });
    await store.prepare();
    return store;
  };
  return { open, remove: bed.remove };
}

const startUs = 1_700_000_000_000_000;

function cpu(value: number, timeUs: number, tags = {}): Point {
  return { measurement: "cpu", tags, timeUs, fields: { usage_user: value } };
}

const everything = {
  measurement: "cpu",
  field: "usage_user",
  tags: {},
  fromUs: startUs - 1e9,
  toUs: startUs + 1e9,
  bucketUs: 1,
  maxPoints: 1e6,
  aggregate: "last",
} as const;

interface RecordExample {
  readonly kind: RecordKind<unknown>;
  /** Makes a record of one identity. */
  readonly make: (of: { readonly timeUs: number; readonly run: string }) => unknown;
}

/** A new kind of record passes by a line here. */
const recordExamples: readonly RecordExample[] = [
  { kind: resultRecord, make: ({ timeUs, run }) => makeResult({ time_us: timeUs, run }) },
  {
    kind: runRecord,
    make: ({ timeUs, run }) =>
      makeRun({ time_us: timeUs, run, started_us: startUs, commit: "1a2b", dirty: "no", labels: { pr: "12" } }),
  },
  { kind: runWindowRecord, make: ({ timeUs, run }) => deriveRunWindow(makeRun({ started_us: timeUs, run })) },
  { kind: kpiRecord, make: ({ timeUs, run }) => deriveKpis(makeResult({ time_us: timeUs, run }))[0] },
  {
    kind: introductionRecord,
    make: ({ timeUs, run }) => ({ host: "h1", version: run, hw_class: "c1", inventory: { cpu: "x" }, time_us: timeUs }),
  },
  { kind: skippedRunRecord, make: ({ timeUs, run }) => makeSkipped({ time_us: timeUs, run }) },
  {
    kind: commandRecord,
    make: ({ timeUs, run }) => makeCommandRecord({ time_us: timeUs, id: run, arguments: { suite: "quick" } }),
  },
  { kind: campaignRecord, make: ({ timeUs, run }) => makeCampaignRecord({ time_us: timeUs, id: run }) },
  { kind: auditRecord, make: ({ timeUs, run }) => makeAuditRecord({ time_us: timeUs, by: run }) },
  { kind: verdictRecord, make: ({ timeUs, run }) => makeVerdict({ time_us: timeUs, run }) },
  { kind: baselineRecord, make: ({ timeUs, run }) => makeBaseline({ time_us: timeUs, by: run }) },
  { kind: verdictMarkRecord, make: ({ timeUs, run }) => makeVerdictMark({ time_us: timeUs, run }) },
  { kind: alertRecord, make: ({ timeUs, run }) => makeAlert({ time_us: timeUs, summary: run }) },
  { kind: silenceRecord, make: ({ timeUs, run }) => makeSilence({ time_us: timeUs, by: run }) },
  { kind: notificationRecord, make: ({ timeUs, run }) => makeNotification({ time_us: timeUs, by: run }) },
];

const beds = [
  { name: "DuckDB", make: makeDuckBed, group: describe },
  { name: "InfluxDB", make: makeInfluxBed, group: describeInflux },
];

describe.each(beds)("$name", ({ make, group }) => {
  group("as a store", () => {
    let bed: Bed;
    let store: Store;

    beforeAll(async () => {
      bed = await make();
    });
    afterAll(() => bed?.remove());
    beforeEach(async () => {
      store = await bed.open();
      return () => store.close();
    });

    it("answers nothing of nothing", async () => {
      expect(await store.history(everything)).toEqual([]);
      expect(await store.readLatest(resultRecord, {})).toEqual([]);
      expect(await store.findByText(resultRecord, "run", "none")).toEqual([]);
      expect(await store.readNewest(runRecord, { tags: {}, limit: 10 })).toEqual([]);
      expect(await readHosts(store)).toEqual([]);
      expect(await store.listSeries()).toEqual([]);
    });

    it("changes nothing for a batch that comes again", async () => {
      const batch = buildBatch(1, [cpu(1, startUs)]);
      expect(await store.write([batch, batch], startUs)).toEqual([batch]);
      expect(await store.write([batch], startUs)).toEqual([]);
      const next = buildBatch(2, [cpu(2, startUs + 1)]);
      expect(await store.write([batch, next], startUs)).toEqual([next]);
      expect((await store.history(everything))[0].points).toEqual([
        [startUs, 1],
        [startUs + 1, 2],
      ]);
    });

    it("puts samples that come late or out of order where they belong", async () => {
      await store.write([buildBatch(1, [cpu(3, startUs + 3e6), cpu(1, startUs + 1e6)])], startUs);
      await store.write([buildBatch(2, [cpu(2, startUs + 2e6), cpu(0, startUs - 5e8)])], startUs + 9e6);
      expect((await store.history(everything))[0].points).toEqual([
        [startUs - 5e8, 0],
        [startUs + 1e6, 1],
        [startUs + 2e6, 2],
        [startUs + 3e6, 3],
      ]);
    });

    it("aggregates by bucket, range and tags", async () => {
      const points = [5, 1, 4, 2, 3].map((value, i) => cpu(value, startUs + i * 1e6, { cpu: "cpu0" }));
      await store.write([buildBatch(1, [...points, cpu(100, startUs, { cpu: "cpu1" })])], startUs);
      const ask = async (aggregate: Aggregate, bucketUs: number, toUs = startUs + 5e6) =>
        (await store.history({ ...everything, tags: { cpu: "cpu0", host: "h1" }, fromUs: startUs, toUs, bucketUs, aggregate }))[0]
          .points;
      const whole = { mean: 3, min: 1, max: 5, last: 3, p50: 3, p95: 5, count: 5 };
      for (const [aggregate, value] of Object.entries(whole)) {
        expect(await ask(aggregate as Aggregate, 100e6), aggregate).toEqual([[startUs - (startUs % 100e6), value]]);
      }
      expect(await ask("max", 2e6)).toEqual([
        [startUs, 5],
        [startUs + 2e6, 4],
        [startUs + 4e6, 3],
      ]);
      expect(await ask("p50", 2e6)).toEqual([
        [startUs, 3],
        [startUs + 2e6, 3],
        [startUs + 4e6, 3],
      ]);
      expect(await ask("min", 2e6, startUs + 1e6)).toEqual([[startUs, 5]]);
      expect((await store.history({ ...everything, aggregate: "max" })).map(({ tags }) => tags)).toEqual([
        { cpu: "cpu0", host: "h1" },
        { cpu: "cpu1", host: "h1" },
      ]);
    });

    it("takes the same 95th percentile of any samples", async () => {
      let sequence = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 50 }), async (values) => {
          const tags = { cpu: `c${++sequence}` };
          await store.write(
            [
              buildBatch(
                sequence,
                values.map((value, i) => cpu(value, startUs + i, tags)),
              ),
            ],
            startUs,
          );
          const query = { ...everything, tags, aggregate: "p95", bucketUs: 1e12, fromUs: 1, toUs: 2e15 } as const;
          const sorted = [...values].sort((a, b) => a - b);
          const [[, found]] = (await store.history(query))[0].points;
          expect(found).toBe(sorted[Math.max(0, Math.floor(values.length * 0.95 + 0.5) - 1)]);
        }),
        { numRuns: 15 },
      );
    });

    it("refuses an answer of too many points", async () => {
      await store.write([buildBatch(1, [cpu(1, startUs), cpu(2, startUs + 1), cpu(3, startUs + 2)])], startUs);
      await expect(store.history({ ...everything, maxPoints: 2 })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
      expect((await store.history({ ...everything, maxPoints: 3 }))[0].points).toHaveLength(3);
    });

    it("keeps tags of every awkward character, to filter by too", async () => {
      const awkward = [
        "a b",
        "a,b",
        "a=b",
        'a"b',
        "a'b",
        "a\\b",
        "a\\,b",
        "a\\\\b",
        "a\\ b",
        "é 日本 🙂",
        "#",
        "'); DROP SERIES",
        "$x",
        "%",
      ];
      await store.write(
        [
          buildBatch(
            1,
            awkward.map((cpuName, i) => cpu(i, startUs, { cpu: cpuName })),
          ),
        ],
        startUs,
      );
      for (const [i, name] of awkward.entries()) {
        const found = await store.history({ ...everything, tags: { cpu: name } });
        expect(found, name).toEqual([{ tags: { cpu: name, host: "h1" }, points: [[startUs, i]] }]);
      }
      expect((await store.listSeries("cpu")).map(({ tags }) => tags.cpu).sort()).toEqual([...awkward].sort());
    });

    it("keeps any tag and number exactly", async () => {
      let sequence = 0;
      const tag = fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
        .filter((text) => !/\p{Cc}/u.test(text) && !text.endsWith("\\"));
      const number = fc.double({ noNaN: true, noDefaultInfinity: true });
      await fc.assert(
        fc.asyncProperty(tag, number, async (name, value) => {
          const timeUs = startUs + ++sequence;
          await store.write([buildBatch(sequence, [cpu(value, timeUs, { cpu: name })])], startUs);
          const [history] = await store.history({ ...everything, tags: { cpu: name }, fromUs: timeUs, toUs: timeUs + 1 });
          expect(history).toEqual({ tags: { cpu: name, host: "h1" }, points: [[timeUs, value]] });
        }),
        {
          numRuns: 40,
          examples: [
            ["x", 1e308],
            ["x", -0],
            ["x", 5e-324],
            ["x", 0.1],
          ],
        },
      );
    });

    it("keeps every text of a result exactly", async () => {
      let sequence = 0;
      const text = fc.string({ unit: "grapheme", maxLength: 50 });
      await fc.assert(
        fc.asyncProperty(text, async (note) => {
          const result = makeResult({
            run: `run '${++sequence}'`,
            disturbance: note,
            metadata: { note },
            time_us: startUs + sequence,
          });
          await store.write([buildBatch(sequence, [resultRecord.toPoint(result)])], startUs);
          expect(await store.findByText(resultRecord, "run", result.run)).toEqual([result]);
        }),
        { numRuns: 25, examples: [['a "quoted"\nline \\ end\\']] },
      );
    });

    it("answers the latest result of each benchmark, of whichever suite and hardware class", async () => {
      const older = makeResult({ time_us: startUs, suite: "full", hw_class: "c0", run: "run-0" });
      const newer = makeResult({ time_us: startUs + 1 });
      const other = makeResult({ time_us: startUs + 2, runtime: "tfjs-wasm" });
      await store.write([buildBatch(1, [older, other, newer].map(resultRecord.toPoint))], startUs);
      const foreign = makeResult({ time_us: startUs, host: "h2", category: "jax", benchmark: "jit_compile" });
      await store.write([buildBatch(1, [resultRecord.toPoint(foreign)], "h2")], startUs);
      expect(await store.readLatest(resultRecord, { host: "h1" })).toEqual([other, newer]);
      expect(await store.readLatest(resultRecord, { suite: "full" })).toEqual([older]);
      expect(await store.readLatest(resultRecord, { category: "jax", benchmark: "jit_compile" })).toEqual([foreign]);
      expect(await store.findByText(resultRecord, "run", "run-0")).toEqual([older]);
    });

    it("answers runs, the newest first, and no more than asked for", async () => {
      const runs = [1, 2, 3].map((i) =>
        makeRun({ run: `run-${i}`, time_us: startUs + i, started_us: startUs, suite: i === 3 ? "full" : "quick" }),
      );
      await store.write([buildBatch(1, runs.map(runRecord.toPoint))], startUs);
      expect(await store.readNewest(runRecord, { tags: { host: "h1" }, limit: 2 })).toEqual([runs[2], runs[1]]);
      expect(await store.readNewest(runRecord, { tags: {}, limit: 10 })).toEqual([runs[2], runs[1], runs[0]]);
      expect(await store.readNewest(runRecord, { tags: { host: "h2" }, limit: 2 })).toEqual([]);
    });

    it("answers runs page by page, each of them once", async () => {
      const runs = Array.from({ length: 25 }, (_, i) =>
        makeRun({ run: `run-${i}`, time_us: startUs + i, started_us: startUs, host: i % 2 === 0 ? "h1" : "h2" }),
      );
      for (const host of ["h1", "h2"]) {
        await store.write([buildBatch(1, runs.filter((run) => run.host === host).map(runRecord.toPoint), host)], startUs);
      }
      const found: string[] = [];
      for (let beforeUs: number | undefined; ; ) {
        const page = await store.readNewest(runRecord, { tags: {}, limit: 10, beforeUs });
        if (page.length === 0) break;
        found.push(...page.map(({ run }) => run));
        beforeUs = page.at(-1)?.time_us;
      }
      expect(found).toEqual(runs.map(({ run }) => run).reverse());
    });

    describe.each(recordExamples)("of records of $kind.measurement", ({ kind, make }) => {
      const write = async (records: readonly unknown[], sequence = 1): Promise<void> => {
        await store.write(
          [
            buildBatch(
              sequence,
              records.map((record) => kind.toPoint(record)),
            ),
          ],
          startUs,
        );
      };
      const series = Array.from({ length: 3 }, (_, i) => make({ timeUs: startUs + i, run: `run-${i % 2}` }));

      it("answers the latest of each identity, by tags", async () => {
        await write(series);
        expect(await store.readLatest(kind, {})).toEqual([series[2]]);
        expect(await store.readLatest(kind, kind.toPoint(series[0]).tags)).toEqual([series[2]]);
        expect(await store.readLatest(kind, { host: "none" })).toEqual([]);
      });

      it("answers those that carry a text, and no others", async () => {
        await write(series);
        const field = kind.runField ?? kind.textField;
        const text = kind.toPoint(series[0]).fields[field];
        const wanted = series.filter((record) => kind.toPoint(record).fields[field] === text).reverse();
        expect(await store.findByText(kind, field, String(text))).toEqual(wanted);
        expect(await store.findByText(kind, field, "'none\"")).toEqual([]);
      });

      it("answers the newest, page by page", async () => {
        await write(series.slice(1));
        await write(series.slice(0, 1), 2);
        const ask = (limit: number, beforeUs?: number) => store.readNewest(kind, { tags: { host: "h1" }, limit, beforeUs });
        expect(await ask(2)).toEqual([series[2], series[1]]);
        expect(await ask(2, startUs + 1)).toEqual([series[0]]);
        expect(await store.readNewest(kind, { tags: { host: "h2" }, limit: 9 })).toEqual([]);
      });
    });

    it("has an example of every kind of record", () => {
      expect(recordExamples.map(({ kind }) => kind)).toEqual(recordKinds);
    });

    it("puts what lies on an edge into the bucket that begins there, and the end of a range outside", async () => {
      const edges = [0, 1e6 - 1, 1e6, 2e6 - 1, 2e6, 3e6];
      await store.write(
        [
          buildBatch(
            1,
            edges.map((offset, i) => cpu(i, startUs + offset)),
          ),
        ],
        startUs,
      );
      const ask = async (fromUs: number, toUs: number, bucketUs: number) =>
        (await store.history({ ...everything, fromUs, toUs, bucketUs, aggregate: "count" }))[0]?.points ?? [];
      expect(await ask(startUs, startUs + 3e6, 1e6)).toEqual([
        [startUs, 2],
        [startUs + 1e6, 2],
        [startUs + 2e6, 1],
      ]);
      // A range that begins within a bucket answers for that bucket with what lies in the range.
      expect(await ask(startUs + 1, startUs + 1e6 + 1, 1e6)).toEqual([
        [startUs, 1],
        [startUs + 1e6, 1],
      ]);
      // Buckets are counted from 1970, whatever their width.
      const first = startUs - (startUs % 7e6);
      expect(await ask(startUs, startUs + 4e6, 7e6)).toEqual([
        [first, 2],
        [first + 7e6, 4],
      ]);
      expect(await ask(startUs + 4e6, startUs + 5e6, 1e6)).toEqual([]);
      expect(await ask(startUs + 3e6, startUs + 3e6 + 1, 1)).toEqual([[startUs + 3e6, 1]]);
    });

    it("answers more points than fit into one part of an answer", async () => {
      const count = 25_000;
      const points = Array.from({ length: count }, (_, i) => cpu(i, startUs + i));
      await store.write([buildBatch(1, points)], startUs);
      const [{ points: found }] = await store.history({ ...everything, fromUs: startUs });
      expect(found).toHaveLength(count);
      expect(found.at(-1)).toEqual([startUs + count - 1, count - 1]);
    });

    it("lists each series with the fields that it has, and no others", async () => {
      const points: Point[] = [
        { measurement: "disk", tags: { path: "/" }, timeUs: startUs, fields: { used: 1, label: "root" } },
        { measurement: "disk", tags: { path: "/home" }, timeUs: startUs, fields: { free: 2 } },
      ];
      await store.write([buildBatch(1, points)], startUs);
      expect((await store.listSeries()).map(({ field, tags }) => `${field} ${tags.path}`)).toEqual([
        "free /home",
        "label /",
        "used /",
      ]);
      expect(await store.listSeries("other")).toEqual([]);
    });

    it("reads back in parts what was written, and overwrites it with the same", async () => {
      const points = [1, 2, 3].map((i) => ({
        measurement: "notes",
        tags: {},
        timeUs: startUs + i,
        fields: { value: i, note: `n ${i}` },
      }));
      await store.write([buildBatch(1, points)], startUs);
      const read = async (): Promise<number> => {
        let samples = 0;
        for await (const part of store.read({ measurements: ["notes"], fromUs: startUs + 2, toUs: startUs + 4 })) {
          samples += part.samples.numbers.values.length + part.samples.texts.values.length;
          await store.overwrite(part);
        }
        return samples;
      };
      expect([await read(), await read()]).toEqual([4, 4]);
      expect((await store.history({ ...everything, measurement: "notes", field: "value" }))[0].points).toHaveLength(3);
    });

    it("answers hosts as they last introduced themselves, and when they were last heard of", async () => {
      const agent = (version: string, timeUs: number): Point => ({
        measurement: "agent",
        tags: {},
        timeUs,
        fields: { version, hardware_class: "c1", inventory: '{"cpu":"x"}' },
      });
      await store.write([buildBatch(1, [agent("2", startUs + 1), agent("1", startUs)])], startUs + 7);
      await store.write([buildBatch(1, [agent("3", startUs)], "a2")], startUs + 3);
      expect(await readHosts(store)).toEqual([
        { host: "a2", version: "3", hw_class: "c1", inventory: { cpu: "x" }, last_seen_us: startUs + 3 },
        { host: "h1", version: "2", hw_class: "c1", inventory: { cpu: "x" }, last_seen_us: startUs + 7 },
      ]);
      expect((await store.listSeries("agent")).length).toBe(6);
    });

    it("takes a group of many agents' batches at once", async () => {
      const batches = Array.from({ length: 40 }, (_, host) =>
        buildBatch(
          1,
          Array.from({ length: 300 }, (_, i) => cpu(i, startUs + i * 1000)),
          `h${host}`,
        ),
      );
      expect(await store.write(batches, startUs)).toHaveLength(40);
      const counts = await store.history({ ...everything, aggregate: "count", bucketUs: 1e12, fromUs: 1, toUs: 2e15 });
      expect(counts.map(({ points }) => points[0][1])).toEqual(batches.map(() => 300));
      expect(counts.map(({ tags }) => tags.host)).toEqual(batches.map(({ id }) => id.host).sort());
    });
  });
});

import { aggregates } from "@fleetmark/shared/model/aggregates";
import { canonicalTags, type Point } from "@fleetmark/shared/model/series";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import { connectInflux } from "#collector/store/influx/server/connection.js";
import type { InfluxTarget } from "#collector/store/influx/server/target.js";
import { planInfluxSetup } from "#collector/store/influx/setup/setup.js";
import { hourUs } from "#collector/store/retention.js";
import type { HistoryQuery, Store } from "#collector/store/store.js";
import { buildBatch } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";
import { makeFolder } from "../testbed/program.js";

const dayUs = 24 * hourUs;
const retention = { raw: 30 * 86_400, hourly: 400 * 86_400, records: Number.POSITIVE_INFINITY };
const nowUs = Date.now() * 1000;
const horizonUs = Math.floor((nowUs - 30 * dayUs) / hourUs) * hourUs;

/** Samples of three series on either side of where samples end and hours begin, unevenly spread. */
function makePoints(): Point[] {
  const points: Point[] = [];
  let state = 7;
  const chance = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  for (const cpu of ["cpu0", "cpu 1", "é,="]) {
    for (let timeUs = horizonUs - 5 * dayUs; timeUs < horizonUs + 2 * dayUs; timeUs += Math.round(chance() * 0.4 * hourUs) + 1) {
      points.push({
        measurement: "cpu",
        tags: { cpu },
        timeUs,
        fields: { usage_user: (chance() - 0.5) * 10 ** Math.round(chance() * 6) },
      });
    }
  }
  return points;
}

/** Histories in the order of their tags, each number shortened to what two orders of summation agree on. */
async function ask(store: Store, query: HistoryQuery): Promise<unknown> {
  const histories = await store.history(query);
  return histories
    .map(({ tags, points }) => [canonicalTags(tags), points.map(([timeUs, value]) => [timeUs, value.toPrecision(10)])] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

describeInflux("what both stores answer once samples are past their time", () => {
  const folder = makeFolder();
  let bed: InfluxBed;
  let target: InfluxTarget;
  let duck: Store;
  let influx: Store;

  beforeAll(async () => {
    bed = await openInfluxBed();
    target = await bed.makeDatabase();
    const refuse = async (line: string, reason: string): Promise<void> => {
      throw new Error(`the server refused ${line}: ${reason}`);
    };
    influx = openInfluxStore(target, refuse, { retention, now: () => nowUs });
    duck = await openStore(folder.path, retention);
    const batch = buildBatch(1, makePoints());
    await influx.prepare();
    for (const store of [influx, duck]) await store.write([batch], nowUs);
    const plan = await planInfluxSetup({ target, retention, nowUs });
    for (const step of plan.steps) await step.run();
    await bed.dropExpired(target, horizonUs);
    await duck.retain(nowUs);
  });
  afterAll(async () => {
    await duck?.close();
    await influx?.close();
    await bed?.remove();
    folder.remove();
  });

  const whole = { measurement: "cpu", field: "usage_user", tags: {}, fromUs: horizonUs - 6 * dayUs, toUs: nowUs, maxPoints: 1e5 };
  const ranges: readonly [name: string, query: Omit<HistoryQuery, "aggregate">][] = [
    ["by minute", { ...whole, bucketUs: 60e6 }],
    ["by hour", { ...whole, bucketUs: hourUs }],
    ["by seven hours, one of which holds both", { ...whole, bucketUs: 7 * hourUs }],
    ["by 100 minutes", { ...whole, bucketUs: 6000e6 }],
    ["all in one", { ...whole, bucketUs: 1e16 }],
    ["of one series", { ...whole, tags: { cpu: "é,=" }, bucketUs: dayUs }],
    ["before the end of samples", { ...whole, toUs: horizonUs, bucketUs: dayUs }],
    ["after it", { ...whole, fromUs: horizonUs, bucketUs: dayUs }],
    ["around it", { ...whole, fromUs: horizonUs - 2 * hourUs, toUs: horizonUs + 3 * hourUs, bucketUs: 12 * hourUs }],
  ];

  it.each(ranges)("%s", async (_, query) => {
    for (const aggregate of aggregates) {
      const answer = await ask(duck, { ...query, aggregate });
      expect(await ask(influx, { ...query, aggregate }), aggregate).toEqual(answer);
      expect(answer, aggregate).not.toEqual([]);
    }
  });

  it("samples that come days late are in the hours too", async () => {
    const timeUs = nowUs - 10 * dayUs;
    const batch = buildBatch(
      2,
      [3, 4].map((value, i) => ({
        measurement: "cpu",
        tags: { cpu: "late" },
        timeUs: timeUs + i,
        fields: { usage_user: value },
      })),
    );
    const query = { ...whole, tags: { cpu: "late" }, bucketUs: hourUs } as const;
    for (const store of [duck, influx]) {
      await store.write([batch], nowUs);
      expect((await store.history({ ...query, aggregate: "mean" }))[0].points[0][1], "before").toBe(3.5);
      const retaining = store.retain(nowUs);
      expect((await store.history({ ...query, aggregate: "mean" }))[0].points[0][1], "meanwhile").toBe(3.5);
      await retaining;
      expect((await store.history({ ...query, aggregate: "mean" }))[0].points[0][1], "after").toBe(3.5);
    }
    const server = connectInflux(target);
    const [hours] = await server.query(`SELECT count(mean_usage_user) FROM "hourly"."cpu" WHERE cpu = 'late'`);
    await server.close();
    expect(hours.values[0][1]).toBe(1);
  });

  it("hours that waited when a collector was killed are rolled up by the next", async (context) => {
    if (bed.generation !== "2") context.skip("InfluxDB 1.x looks back three days by itself");
    const timeUs = nowUs - 2 * dayUs;
    const point = { measurement: "cpu", tags: { cpu: "waiting" }, timeUs, fields: { usage_user: 5 } };
    const killed = openInfluxStore(target, async () => {}, { retention, now: () => nowUs });
    await killed.prepare();
    await killed.write([buildBatch(3, [point], "h2")], nowUs);
    const server = connectInflux(target);
    const count = async (): Promise<unknown> => {
      return (await server.query(`SELECT count(mean_usage_user) FROM "hourly"."cpu" WHERE cpu = 'waiting'`))[0]?.values[0][1];
    };
    expect(await count()).toBeUndefined();
    const next = openInfluxStore(target, async () => {}, { retention, now: () => nowUs });
    await next.prepare();
    await next.retain(nowUs);
    expect(await count()).toBe(1);
    expect(await server.query('SELECT * FROM "hourly"."fleetmark_late" WHERE pending = 1')).toEqual([]);
    for (const store of [killed, next]) await store.close();
    await server.close();
  });

  it("samples that no night has rolled up are answered all the same", async () => {
    const sleepless = bed.nameDatabase();
    for (const step of (await planInfluxSetup({ target: sleepless, retention, nowUs })).steps) await step.run();
    const server = connectInflux(sleepless);
    await server.write([1, 2].map((value, i) => `cpu,host=h1 usage_user=${value} ${nowUs - 10 * dayUs + i}`));
    await server.close();
    const store = openInfluxStore(sleepless, async () => {}, { retention, now: () => nowUs });
    const history = await store.history({ ...whole, bucketUs: hourUs, aggregate: "mean" });
    await store.close();
    expect(history[0].points[0][1]).toBe(1.5);
  });

  it("too many points", async () => {
    for (const store of [duck, influx]) {
      const query = { ...whole, bucketUs: hourUs, aggregate: "mean", maxPoints: 100 } as const;
      await expect(store.history(query)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    }
  });
});

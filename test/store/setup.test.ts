import { resultRecord } from "@fleetmark/shared/records/result";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readHosts } from "#collector/store/hosts.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import { planInfluxSetup } from "#collector/store/influx/setup/setup.js";
import type { SetupPlan } from "#collector/store/setup-plan.js";
import type { Store } from "#collector/store/store.js";
import { buildBatch, makeResult } from "../../collector/test/support.js";
import { describeWith } from "../testbed/needs.js";
import { askInflux, dropExpiredShards, type Server, startInflux } from "../testbed/servers.js";
import { startApiStandIn } from "./api-stand-in.js";

const daysS = 86_400;
const retention = { raw: 30 * daysS, hourly: 400 * daysS, records: Number.POSITIVE_INFINITY };
const nowUs = Date.now() * 1000;

function makePlan(url: string, { database = "fleetmark", org = "", token = "" } = {}, wish = retention): Promise<SetupPlan> {
  return planInfluxSetup({ target: { url, database, org, token, timeoutMs: 5000 }, retention: wish, nowUs });
}

async function run({ steps }: SetupPlan): Promise<void> {
  for (const step of steps) await step.run();
}

function open(url: string, database: string): { store: Store; refused: string[] } {
  const refused: string[] = [];
  const target = { url, database, org: "", token: "", timeoutMs: 5000 };
  const store = openInfluxStore(target, async (line) => void refused.push(line), { retention });
  onTestFinished(() => store.close());
  return { store, refused };
}

describeWith("influxd")("setup of a real InfluxDB 1.x", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startInflux();
  });
  afterAll(() => server?.remove());

  it("makes all of it from nothing, changes nothing the second time, and follows a changed wish", async () => {
    const first = await makePlan(server.url);
    expect(first.server).toMatch(/^InfluxDB 1\./);
    expect(first.steps.map(({ what }) => what)).toEqual([
      "create the database fleetmark",
      "create the retention policy records",
      "create the retention policy hourly",
      "roll telemetry up by hour, every night",
    ]);
    expect(first.steps.some(({ deletes }) => deletes)).toBe(false);
    // Made, not yet done.
    expect((await makePlan(server.url)).steps).toHaveLength(4);
    await run(first);
    expect((await makePlan(server.url)).steps).toEqual([]);
    const changed = await makePlan(server.url, {}, { raw: 10 * daysS, hourly: 800 * daysS, records: 900 * daysS });
    expect(changed.steps.map(({ what, deletes }) => [what, deletes])).toEqual([
      ["change how long records are kept", true],
      ["change how long hourly are kept", false],
      ["keep telemetry as it was measured for 10d instead of 30d", true],
    ]);
    await run(changed);
    expect(await askInflux(server.url, "SHOW RETENTION POLICIES")).toMatchObject({
      results: [
        {
          series: [
            {
              values: [
                ["autogen", "240h0m0s", "24h0m0s", 1, true],
                ["records", "21600h0m0s"],
                ["hourly", "19200h0m0s"],
              ].map((row) => expect.arrayContaining(row)),
            },
          ],
        },
      ],
    });
  });

  it("takes up a setup that was cut short, and quotes awkward names", async () => {
    const target = { database: 'a "quoted" db' };
    const plan = await makePlan(server.url, target);
    for (const step of plan.steps.slice(0, 2)) await step.run();
    await run(await makePlan(server.url, target));
    expect((await makePlan(server.url, target)).steps).toEqual([]);
  });

  it("keeps what is there already: records are copied and telemetry is rolled up before anything goes", async () => {
    await askInflux(server.url, "CREATE DATABASE old");
    const { store, refused } = open(server.url, "old");
    const oldUs = nowUs - 100 * daysS * 1e6;
    const [older, newer] = [makeResult({ time_us: oldUs, run: "older" }), makeResult({ time_us: nowUs, run: "newer" })];
    const agent = { version: "1", hardware_class: "c1", inventory: '{"cpu":"x"}' };
    const cpu = [10, 20, 60].map((value, i) => ({
      measurement: "cpu",
      tags: {},
      timeUs: oldUs + i,
      fields: { usage_user: value },
    }));
    await store.write(
      [
        buildBatch(1, [
          ...[older, newer].map(resultRecord.toPoint),
          ...cpu,
          { measurement: "agent", tags: {}, timeUs: oldUs, fields: agent },
        ]),
      ],
      nowUs,
    );
    const plan = await makePlan(server.url, { database: "old" });
    expect(plan.steps.map(({ deletes }) => deletes)).toEqual([false, false, false, false, false, true]);
    await run(plan);
    expect(await dropExpiredShards(server.url, "old")).toBeGreaterThan(0);
    expect(await store.findByText(resultRecord, "run", "older")).toEqual([older]);
    expect(await store.findByText(resultRecord, "run", "newer")).toEqual([newer]);
    expect(await readHosts(store)).toMatchObject([{ host: "h1", version: "1" }]);
    const range = { fromUs: oldUs - 3.6e9, toUs: nowUs, bucketUs: 3.6e9, maxPoints: 100 };
    const history = await store.history({ measurement: "cpu", field: "usage_user", tags: {}, aggregate: "mean", ...range });
    expect(history).toEqual([{ tags: { host: "h1" }, points: [[oldUs - (oldUs % 3.6e9), 30]] }]);
    expect(await store.listSeries("cpu")).toEqual([{ measurement: "cpu", field: "usage_user", tags: { host: "h1" } }]);

    // From now on records go to both places, and are refused nowhere for their age.
    const late = makeResult({ time_us: nowUs - 60 * daysS * 1e6, run: "late" });
    await store.write([buildBatch(2, [resultRecord.toPoint(late)])], nowUs);
    expect(await store.findByText(resultRecord, "run", "late")).toEqual([late]);
    expect(refused).toEqual([]);
  });
});

describeWith("influxd")("setup of an InfluxDB 1.x that asks who one is", () => {
  it("says that it needs an administrator", async () => {
    const server = await startInflux({ auth: true });
    onTestFinished(() => server.remove());
    await askInflux(server.url, "CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    await askInflux(server.url, "CREATE USER writer WITH PASSWORD 'w'", "root:r");
    await expect(makePlan(server.url, { token: "writer:wrong" })).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/401.*--admin-token-file/),
    });
    const plan = await makePlan(server.url, { token: "writer:w" });
    await expect(run(plan)).rejects.toMatchObject({ message: expect.stringMatching(/403.*--admin-token-file/) });
    await run(await makePlan(server.url, { token: "root:r" }));
    expect((await makePlan(server.url, { token: "root:r" })).steps).toEqual([]);
  });
});

describe("setup by API, answered as InfluxDB 2.7.12 answers", () => {
  const target = { org: "plant", token: "secret" };
  const rules = (everySeconds: number, shardDays: number) => [
    { type: "expire", everySeconds, shardGroupDurationSeconds: shardDays * daysS },
  ];

  it("2.x: buckets and mappings; twice is once, and a changed wish changes the buckets alone", async () => {
    const { url, asked, tokens } = await startApiStandIn("v2.7.12");
    await run(await makePlan(url, target));
    const orgID = "0123456789abcdef";
    expect(asked.filter((line) => line.startsWith("POST /api/v2/buckets")).map((line) => JSON.parse(line.slice(21)))).toEqual([
      { orgID, name: "fleetmark", retentionRules: rules(2_592_000, 1) },
      { orgID, name: "fleetmark_records", retentionRules: rules(0, 7) },
      { orgID, name: "fleetmark_hourly", retentionRules: rules(34_560_000, 7) },
    ]);
    expect(asked.filter((line) => line.startsWith("POST /api/v2/dbrps")).map((line) => JSON.parse(line.slice(19)))).toEqual(
      ["autogen", "records", "hourly"].map((policy, i) => ({
        orgID,
        bucketID: `b00000000000000${i}`,
        database: "fleetmark",
        retention_policy: policy,
        default: i === 0,
      })),
    );
    expect(asked).toHaveLength(6);
    expect([...tokens]).toEqual(["Token secret"]);
    expect((await makePlan(url, target)).steps).toEqual([]);
    const changed = await makePlan(url, target, { ...retention, raw: 7 * daysS });
    expect(changed.steps.map(({ request, deletes }) => [request, deletes])).toEqual([
      [`PATCH /api/v2/buckets/b000000000000000 ${JSON.stringify({ retentionRules: rules(604_800, 1) })}`, true],
    ]);
  });

  it("2.x: follows a wish from an end to for ever and back, below the shard groups' length too", async () => {
    const { url, state } = await startApiStandIn("v2.7.12");
    await run(
      await makePlan(url, target, { raw: Number.POSITIVE_INFINITY, hourly: Number.POSITIVE_INFINITY, records: 900 * daysS }),
    );
    await run(await makePlan(url, target, { raw: 5 * daysS, hourly: 400 * daysS, records: Number.POSITIVE_INFINITY }));
    expect(state.buckets.map(({ name, retentionRules }) => [name, retentionRules])).toEqual([
      ["fleetmark", rules(5 * daysS, 1)],
      ["fleetmark_records", rules(0, 7)],
      ["fleetmark_hourly", rules(400 * daysS, 7)],
    ]);
  });

  it("2.x: a records bucket that was made anew is filled again, and the task of earlier versions goes", async () => {
    const { url, asked, state } = await startApiStandIn("v2.7.12");
    await run(await makePlan(url, target));
    state.tasks.push({ id: "t1", name: "fleetmark_fleetmark_hourly", status: "inactive" });
    state.buckets.splice(1, 1);
    state.dbrps.splice(1, 1);
    state.lines.delete("fleetmark_records");
    const plan = await makePlan(url, target);
    expect(plan.steps.map(({ what }) => what)).toEqual([
      "create the bucket fleetmark_records",
      "map fleetmark/records to the bucket fleetmark_records, for InfluxQL",
      "copy the records that are there already",
      "remove the task fleetmark_fleetmark_hourly: the collector rolls up",
    ]);
    await run(plan);
    expect(asked.filter((line) => line.startsWith("POST /api/v2/query"))).toHaveLength(1);
    expect(state.tasks).toEqual([]);
    expect((await makePlan(url, target)).steps).toEqual([]);
  });

  it("2.x: takes over the buckets that `influxd upgrade` has made of a database of 1.x", async () => {
    const { url, state } = await startApiStandIn("v2.7.12");
    const upgraded = ["autogen", "records", "hourly"].map((policy, i) => ({ policy, id: `u${i}` }));
    for (const { policy, id } of upgraded) {
      state.buckets.push({ id, name: `fleetmark/${policy}`, retentionRules: rules(0, 7) });
      state.dbrps.push({ id: `m${id}`, bucketID: id, database: "fleetmark", retention_policy: policy, default: id === "u0" });
    }
    await run(await makePlan(url, target));
    expect(state.buckets.map(({ id, name }) => [id, name])).toEqual([
      ["u0", "fleetmark"],
      ["u1", "fleetmark_records"],
      ["u2", "fleetmark_hourly"],
    ]);
    expect(state.dbrps.map(({ bucketID }) => bucketID)).toEqual(["u0", "u1", "u2"]);
    expect((await makePlan(url, target)).steps).toEqual([]);
  });

  it("2.x: a mapping that names another bucket, or is not the default, is set right", async () => {
    const { url, state } = await startApiStandIn("v2.7.12");
    await run(await makePlan(url, target));
    state.dbrps[0].default = false;
    state.dbrps[1].bucketID = "elsewhere";
    const plan = await makePlan(url, target);
    expect(plan.steps.map(({ what }) => what)).toEqual([
      "map fleetmark/autogen to the bucket fleetmark, for InfluxQL",
      "map fleetmark/records to the bucket fleetmark_records instead of the bucket with the id elsewhere, for InfluxQL",
      "copy the records that are there already",
    ]);
    await run(plan);
    expect((await makePlan(url, target)).steps).toEqual([]);
  });

  it("2.x: a step that the server accepts and does not do is a failure", async () => {
    const { url, state } = await startApiStandIn("v2.7.12");
    const plan = await makePlan(url, target);
    await plan.steps[0].run();
    const change = (await makePlan(url, target, { ...retention, raw: 7 * daysS })).steps.at(-1);
    const [bucket] = state.buckets;
    Object.defineProperty(bucket, "retentionRules", { get: () => rules(2_592_000, 1), set: () => undefined, enumerable: true });
    await expect(change?.run()).rejects.toThrow(/reads back as if it had not/);
  });

  it("2.x: says that the organisation is missing or unknown", async () => {
    const { url } = await startApiStandIn("2.7.12");
    await expect(makePlan(url, { org: "" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(makePlan(url, { org: "elsewhere" })).rejects.toThrow(/no organisation "elsewhere".*--store-org/);
  });
});

describe("setup by API, answered as InfluxDB 3.6 answers", () => {
  const target = { token: "apiv3_x" };

  it("makes the database, and says what that server does not do", async () => {
    const { url, asked, tokens } = await startApiStandIn("3.6.0");
    const wish = { ...retention, records: 1000 * daysS };
    const plan = await makePlan(url, target, wish);
    expect(plan.notes.join(" ")).toMatch(/does not roll up.*1000 d/);
    await run(plan);
    expect(asked).toEqual(['POST /api/v3/configure/database {"db":"fleetmark","retention_period":"24000h"}']);
    expect([...tokens]).toEqual(["Bearer apiv3_x"]);
    expect((await makePlan(url, target, wish)).steps).toEqual([]);
  });

  it("changes how long a database keeps that was there before, and to for ever too", async () => {
    const { url, asked, state } = await startApiStandIn("3.6.0");
    state.databases.push({ db: "fleetmark" });
    const wish = { ...retention, records: 1000 * daysS };
    const plan = await makePlan(url, target, wish);
    expect(plan.steps.map(({ deletes }) => deletes)).toEqual([true]);
    await run(plan);
    await run(await makePlan(url, target));
    expect(asked).toEqual([
      'PUT /api/v3/configure/database {"db":"fleetmark","retention_period":"24000h"}',
      'PUT /api/v3/configure/database {"db":"fleetmark"}',
    ]);
    expect((await makePlan(url, target)).steps).toEqual([]);
  });
});

import { createServer } from "node:http";
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

/** A server of InfluxDB's API v2 that remembers what it was told, after the published API. */
async function startApiV2(version: string): Promise<{ url: string; asked: string[]; tokens: Set<string | undefined> }> {
  const asked: string[] = [];
  const tokens = new Set<string | undefined>();
  const state: Record<string, Record<string, unknown>[]> = { buckets: [], dbrps: [], tasks: [], databases: [] };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://x");
      const kind = url.pathname.split("/")[3] ?? "";
      const answer = (status: number, json: unknown): void => {
        response
          .writeHead(status, { "content-type": "application/json", "x-influxdb-version": version })
          .end(JSON.stringify(json));
      };
      if (url.pathname === "/ping") return void response.writeHead(204, { "x-influxdb-version": version }).end();
      tokens.add(request.headers.authorization);
      if (request.method !== "GET") asked.push(`${request.method} ${url.pathname} ${body}`);
      if (kind === "orgs") return answer(200, { orgs: url.searchParams.get("org") === "plant" ? [{ id: "0rg" }] : [] });
      if (kind === "query") return void response.writeHead(200, { "content-type": "text/csv" }).end("\r\n");
      if (kind === "configure") {
        if (request.method === "GET") return answer(200, state.databases);
        state.databases.push({ "iox::database": (JSON.parse(body) as { db: string }).db });
        return answer(200, {});
      }
      const items = state[kind] ?? [];
      if (request.method === "POST") {
        const item = { id: `${kind}${items.length}`, ...(JSON.parse(body) as object) };
        items.push(item);
        return answer(201, item);
      }
      if (request.method === "PATCH") {
        Object.assign(items.find(({ id }) => id === url.pathname.split("/")[4]) as object, JSON.parse(body));
        return answer(200, {});
      }
      const name = url.searchParams.get("name");
      if (kind === "buckets") return answer(200, { buckets: items.filter((bucket) => bucket.name === name) });
      if (kind === "dbrps") return answer(200, { content: items });
      return answer(200, { tasks: items.filter(({ flux }) => String(flux).includes(`name: "${name}"`)) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, asked, tokens };
}

describe("setup by API, after what is published of it", () => {
  it("2.x: buckets, mappings and a task; twice is once, and a changed wish changes the buckets alone", async () => {
    const { url, asked, tokens } = await startApiV2("v2.7.6");
    const target = { org: "plant", token: "secret" };
    await run(await makePlan(url, target));
    expect(asked.filter((line) => line.startsWith("POST /api/v2/buckets")).map((line) => JSON.parse(line.slice(21)))).toEqual([
      { orgID: "0rg", name: "fleetmark", retentionRules: [{ type: "expire", everySeconds: 2_592_000 }] },
      { orgID: "0rg", name: "fleetmark_records", retentionRules: [] },
      { orgID: "0rg", name: "fleetmark_hourly", retentionRules: [{ type: "expire", everySeconds: 34_560_000 }] },
    ]);
    expect(asked.filter((line) => line.startsWith("POST /api/v2/dbrps")).map((line) => JSON.parse(line.slice(19)))).toEqual(
      ["autogen", "records", "hourly"].map((policy, i) => ({
        orgID: "0rg",
        bucketID: `buckets${i}`,
        database: "fleetmark",
        retention_policy: policy,
        default: i === 0,
      })),
    );
    const task = JSON.parse(asked.find((line) => line.startsWith("POST /api/v2/tasks"))?.slice(19) ?? "{}") as { flux: string };
    expect(task.flux).toContain('option task = {name: "fleetmark_fleetmark_hourly", every: 1d');
    expect(task.flux).toContain('to(bucket: "fleetmark_hourly", org: "plant")');
    expect([...tokens]).toEqual(["Token secret"]);
    expect((await makePlan(url, target)).steps).toEqual([]);
    const changed = await makePlan(url, target, { ...retention, raw: 7 * daysS });
    expect(changed.steps.map(({ request, deletes }) => [request, deletes])).toEqual([
      ['PATCH /api/v2/buckets/buckets0 {"retentionRules":[{"type":"expire","everySeconds":604800}]}', true],
    ]);
  });

  it("2.x: says that the organisation is missing or unknown", async () => {
    const { url } = await startApiV2("2.7.6");
    await expect(makePlan(url, { org: "" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(makePlan(url, { org: "elsewhere" })).rejects.toThrow(/no organisation "elsewhere"/);
  });

  it("3.x: makes the database, and says what that server does not do", async () => {
    const { url, asked, tokens } = await startApiV2("3.4.1");
    const plan = await makePlan(url, { token: "apiv3_x" }, { ...retention, records: 1000 * daysS });
    expect(plan.notes.join(" ")).toMatch(/does not roll up.*1000 d/);
    await run(plan);
    expect(asked).toEqual(['POST /api/v3/configure/database {"db":"fleetmark","retention_period":"24000h"}']);
    expect([...tokens]).toEqual(["Bearer apiv3_x"]);
    expect((await makePlan(url, { token: "apiv3_x" })).steps).toEqual([]);
  });
});

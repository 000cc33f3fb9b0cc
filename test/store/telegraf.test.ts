import type { Point } from "@fleetmark/shared/model/series";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import type { InfluxTarget } from "#collector/store/influx/server/target.js";
import type { Store } from "#collector/store/store.js";
import { buildBatch } from "../../collector/test/support.js";
import { describeInflux, type InfluxBed, openInfluxBed } from "../testbed/influx-bed.js";

const startUs = 1_700_000_000_000_000;

/** A moment of a host, as its probes tell it. */
function makeMoment(timeUs: number, used = 4_000_000_000): Point[] {
  return [
    { measurement: "mem", tags: {}, timeUs, fields: { total: 8_000_000_000, used, used_percent: 50 } },
    { measurement: "net", tags: { interface: "eth0" }, timeUs, fields: { bytes_recv: 1 } },
    { measurement: "system", tags: {}, timeUs, fields: { load1: 1, n_cpus: 2, uptime: 7 } },
    { measurement: "cpu", tags: { cpu: "cpu-total" }, timeUs, fields: { usage_user: 1 } },
    { measurement: "own", tags: {}, timeUs, fields: { whole: 1 } },
  ];
}

/** What Telegraf's output for InfluxDB sends of the same moment. */
const telegrafLines = (timeUs: number): string =>
  [
    "mem,host=h2 total=8000000000i,used=4000000000i,used_percent=50",
    "net,host=h2,interface=eth0 bytes_recv=1i",
    "system,host=h2 load1=1,n_cpus=2i",
    "system,host=h2 uptime=7i",
    "cpu,cpu=cpu-total,host=h2 usage_user=1",
  ]
    .map((line) => `${line} ${timeUs}`)
    .join("\n");

describeInflux("a bucket that Telegraf writes to as well", () => {
  let bed: InfluxBed;
  beforeAll(async () => {
    bed = await openInfluxBed();
  });
  afterAll(() => bed?.remove());

  const refused: string[] = [];
  const open = async (target: InfluxTarget): Promise<Store> => {
    refused.length = 0;
    const store = openInfluxStore(target, async (line, reason) => void refused.push(`${line}: ${reason}`));
    await store.prepare();
    return store;
  };
  const identify = (token: string): Record<string, string> => (token === "" ? {} : { authorization: `Token ${token}` });
  /** Writes as somebody else; returns what the server says of it. */
  const writeLines = async ({ url, database, org, token }: InfluxTarget, body: string): Promise<string> => {
    const place = org === "" ? `write?db=${database}&precision=u` : `api/v2/write?org=${org}&bucket=${database}&precision=us`;
    const answer = await fetch(`${url}/${place}`, { method: "POST", headers: identify(token), body });
    return answer.ok ? "" : answer.text();
  };
  const readTypes = async ({ url, database, token }: InfluxTarget): Promise<Record<string, string>> => {
    const asked = new URLSearchParams({ db: database, q: "SHOW FIELD KEYS" });
    const answer = await fetch(`${url}/query?${asked}`, { headers: identify(token) });
    const { results } = (await answer.json()) as { results: { series: { name: string; values: [string, string][] }[] }[] };
    const [{ series }] = results;
    return Object.fromEntries(series.flatMap(({ name, values }) => values.map(([field, type]) => [`${name}.${field}`, type])));
  };
  const count = async (store: Store, measurement: string, field: string): Promise<number> => {
    const range = { fromUs: startUs - 1e9, toUs: startUs + 1e9, bucketUs: 4e9, maxPoints: 100 };
    const found = await store.history({ measurement, field, tags: {}, ...range, aggregate: "count" });
    return found.flatMap(({ points }) => points.map(([, value]) => value)).reduce((sum, value) => sum + value, 0);
  };

  it("has its types, whoever comes first, and nothing of either is refused", async () => {
    for (const isTelegrafFirst of [true, false]) {
      const target = await bed.makeDatabase();
      if (isTelegrafFirst) expect(await writeLines(target, telegrafLines(startUs))).toBe("");
      const store = await open(target);
      for (let i = 0; i < 10; i++) {
        await store.write([buildBatch(i + 1, makeMoment(startUs + i * 1e6))], startUs);
        expect(await writeLines(target, telegrafLines(startUs + i * 1e6))).toBe("");
      }
      expect(refused).toEqual([]);
      expect(await readTypes(target)).toMatchObject({
        "mem.used": "integer",
        "mem.used_percent": "float",
        "net.bytes_recv": "integer",
        "system.load1": "float",
        "system.uptime": "integer",
        "cpu.usage_user": "float",
        "own.whole": "float",
      });
      expect([await count(store, "mem", "used"), await count(store, "system", "load1")]).toEqual([20, 20]);
      await store.close();
    }
  });

  it("stays as it is where a former version wrote floats", async () => {
    const target = await bed.makeDatabase();
    expect(await writeLines(target, `mem,host=h1 total=8000000000,used=4000000000 ${startUs - 1e6}`)).toBe("");
    const store = await open(target);
    await store.write([buildBatch(1, makeMoment(startUs))], startUs);
    expect(refused).toEqual([]);
    expect(await readTypes(target)).toMatchObject({
      "mem.used": "float",
      "mem.used_percent": "float",
      "net.bytes_recv": "integer",
    });
    expect(await count(store, "mem", "used")).toBe(2);
    await store.close();
  });

  it("takes what a store of floats held, as it has it itself", async () => {
    const old = await bed.makeDatabase();
    expect(await writeLines(old, `mem,host=h1 total=8000000000,used=4000000000,used_percent=50 ${startUs}`)).toBe("");
    const source = await open(old);
    const target = await bed.makeDatabase();
    expect(await writeLines(target, telegrafLines(startUs))).toBe("");
    const store = await open(target);
    for await (const chunk of source.read({ measurements: [], fromUs: 0, toUs: 2 * startUs })) await store.overwrite(chunk);
    expect(refused).toEqual([]);
    expect([await count(store, "mem", "used"), (await readTypes(target))["mem.used"]]).toEqual([2, "integer"]);
    await Promise.all([source.close(), store.close()]);
  });

  it("is learned from what the server refuses, where another came in meanwhile", async () => {
    const target = await bed.makeDatabase();
    const store = await open(target);
    const others = "mem,host=h3 used=1,total=1i\nown,host=h3 whole=1i";
    expect(await writeLines(target, others.replaceAll("\n", ` ${startUs}\n`).concat(` ${startUs}`))).toBe("");
    await store.write([buildBatch(1, [...makeMoment(startUs), ...makeMoment(startUs + 1e6)])], startUs);
    expect(refused).toEqual([]);
    expect(await readTypes(target)).toMatchObject({ "mem.used": "float", "mem.total": "integer", "own.whole": "integer" });
    expect([await count(store, "mem", "used"), await count(store, "own", "whole")]).toEqual([3, 3]);
    await store.close();
  });

  it("does not get what has no whole number where it needs one: that line is refused, and the others are not", async () => {
    const target = await bed.makeDatabase();
    expect(await writeLines(target, `mem,host=h2 used=1i ${startUs}`)).toBe("");
    const store = await open(target);
    await store.write([buildBatch(1, [...makeMoment(startUs, 0.5), ...makeMoment(startUs + 1e6)])], startUs);
    expect(refused).toEqual([expect.stringMatching(/^mem,host=h1 .*used=0\.5.*field type conflict/)]);
    expect([await count(store, "mem", "used"), await count(store, "net", "bytes_recv")]).toEqual([2, 2]);
    await store.close();
  });
});

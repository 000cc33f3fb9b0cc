import { afterAll, beforeAll, expect, test } from "vitest";
import { selectAbsoluteChange, selectRelativeChange } from "#grafana/queries/change.js";
import { as, max, renderSelect, type Select } from "#grafana/queries/influxql.js";
import { describeWith } from "../testbed/needs.js";
import { askInflux, type Server } from "../testbed/servers.js";
import { expandTimes } from "./evaluation/expand.js";
import { startDatabase } from "./filled-server.js";
import { openReader } from "./influx-reader.js";

/** A step by a third, of a value far from its target, as InfluxDB answers the panels of the change. */
describeWith("influxd")("change against the first value shown", () => {
  const hourMs = 3_600_000;
  const fromMs = Date.UTC(2026, 0, 1);
  const range = { fromMs, toMs: fromMs + 6 * hourMs };
  let server: Server;

  beforeAll(async () => {
    server = await startDatabase();
    await askInflux(server.url, "CREATE DATABASE change");
    const lines = [0, 1, 2, 3, 4].flatMap((hour) => [
      `kpi,host=steps value=${hour < 3 ? 2 : 2.6} ${fromMs + hour * hourMs}`,
      `kpi,host=zero value=${hour === 1 ? 0 : -0.5} ${fromMs + hour * hourMs}`,
    ]);
    await fetch(`${server.url}/write?db=change&precision=ms`, { method: "POST", body: lines.join("\n") });
  }, 60_000);
  afterAll(() => server?.remove());

  const series: Select = { fields: [as(max("value"), "v")], from: "kpi", groupBy: ["host"], every: "1h", fill: "none" };
  const ask = async (select: Select): Promise<Map<string | undefined, number[]>> => {
    const { error, series: answered } = await openReader(server.url, "change").ask(
      expandTimes(renderSelect(select), range, hourMs),
    );
    expect(error).toBe("");
    return new Map(answered.map(({ tags, values }) => [tags?.host, values.map(([, value]) => Number(value))]));
  };

  test("is 30 % from 2.0 to 2.6, and nothing for what is not above 0, of which there is no quotient", async () => {
    const changes = await ask(selectRelativeChange(series));
    expect(changes.get("steps")?.map((value) => Number(value.toFixed(6)))).toEqual([0, 0, 30, 30]);
    expect(changes.has("zero")).toBe(false);
  });

  test("is in the value's own unit where that is a share", async () => {
    const changes = await ask(selectAbsoluteChange(series));
    expect(changes.get("zero")).toEqual([0.5, 0, 0, 0]);
  });
});

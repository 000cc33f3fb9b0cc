import { kpis } from "@fleetmark/shared/model/kpis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderSelect } from "#grafana/queries/influxql.js";
import { longestFreshnessS, selectFresh } from "#grafana/queries/kpi-queries.js";
import { describeWith } from "../testbed/needs.js";
import { askInflux, type Server } from "../testbed/servers.js";
import { expandTimes } from "./evaluation/expand.js";
import { startDatabase } from "./filled-server.js";
import { openReader } from "./influx-reader.js";

/** What the rules of KPIs see of readings of several ages, as InfluxDB answers them. */
describeWith("influxd")("readings that are not stale", () => {
  const hourS = 3600;
  const nowMs = Date.UTC(2026, 5, 20);
  const kpi = kpis[0];
  let server: Server;

  const write = (host: string, value: number, hoursAgo: number, staleAfterHours?: number): string => {
    const limit = staleAfterHours === undefined ? "" : `,stale_after_s=${staleAfterHours * hourS}`;
    return `kpi,host=${host},kpi=${kpi.id},benchmark=b,runtime=r value=${value}${limit} ${nowMs - hoursAgo * hourS * 1000}`;
  };

  beforeAll(async () => {
    server = await startDatabase();
    await askInflux(server.url, "CREATE DATABASE fresh");
    const lines = [
      write("unscheduled-young", 1, 25),
      write("unscheduled-old", 2, 27),
      write("daily-young", 3, 47, 48),
      write("daily-old", 4, 49, 48),
      write("weekly-young", 5, 13 * 24, 14 * 24),
      write("weekly-old", 6, 15 * 24, 14 * 24),
      // What spoke before speaks no more, however bad it was.
      write("better-now", 900, 6 * 24, 14 * 24),
      write("better-now", 7, 1, 48),
    ];
    await fetch(`${server.url}/write?db=fresh&precision=ms`, { method: "POST", body: lines.join("\n") });
  }, 60_000);
  afterAll(() => server?.remove());

  test("are those within twice the time of their schedule, each series by its newest", async () => {
    const range = { fromMs: nowMs - longestFreshnessS * 1000, toMs: nowMs };
    const query = expandTimes(renderSelect(selectFresh(kpi, "value", ["host", "benchmark"])), range, hourS * 1000);
    const { error, series } = await openReader(server.url, "fresh").ask(query);
    expect(error).toBe("");
    expect(Object.fromEntries(series.map(({ tags, values }) => [tags?.host, Number(values[0][1])]))).toEqual({
      "unscheduled-young": 1,
      "daily-young": 3,
      "weekly-young": 5,
      "better-now": 7,
    });
  });
});

import { ageKpis } from "@fleetmark/shared/judgement/freshness";
import { type HostKpi, kpis, readKpis } from "@fleetmark/shared/model/kpis";
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { layOutTable } from "../output/text-table.js";
import { buildKpiTable, type KpiRow } from "./kpis.js";

const plain = pc.createColors(false);
const coloured = pc.createColors(true);
const endless = Number.POSITIVE_INFINITY;

const toRows = (readings: readonly HostKpi[], nowUs = 0): KpiRow[] =>
  ageKpis(readings, nowUs, 3600).map((reading) => ({ host: "h", hw_class: "c", reading }));

const write = (rows: readonly KpiRow[], cells = endless, colours = plain): string =>
  layOutTable(buildKpiTable(rows, { hasHosts: false, hasAges: false }), cells, colours).text;

describe("the table of KPIs", () => {
  const reading = (status: HostKpi["status"], value: number, time_us = 0): HostKpi => ({
    ...(readKpis([])[0] as HostKpi),
    value,
    low: value * 0.9,
    high: value * 1.1,
    status,
    time_us,
    name: "b",
  });

  it("shows every KPI, also those not measured, plain when colours are off", () => {
    const text = write(toRows(readKpis([])));
    for (const kpi of kpis) expect(text).toContain(kpi.title);
    expect(text.match(/not measured/g)).toHaveLength(kpis.length);
    expect(text).not.toContain("\u001b");
  });

  it("shows value, target, alert threshold and status", () => {
    const text = write(toRows([reading("alert", 7.25)]));
    expect(text.split("\n")[1]).toMatch(/Environment step time +7\.25 ms +6\.53 … 7\.98 +< 1\.00 +> 5\.00 +ALERT +b/);
    expect(write(toRows([reading("alert", 7)]), endless, coloured)).toContain("\u001b[31m");
  });

  it("calls stale what is older than its cadence, and says what it was", () => {
    const rows = toRows([reading("ok", 0.5), reading("alert", 7), reading("ok", 0.5, 3000e6)], 3601e6);
    const [, ...lines] = write(rows).split("\n");
    expect(lines.map((line) => / {2}(stale.*|ok) +b$/.exec(line)?.[1]?.trim())).toEqual(["stale", "stale, was ALERT", "ok"]);
  });

  it("shows how a KPI moved since the run before", () => {
    const change = { kpi: "environment_step_time_ms", name: "b", before: 1, after: 1.2, change: 20 } as const;
    const [row] = toRows([reading("ok", 1.2)]) as [KpiRow];
    expect(write([{ ...row, change: { ...change, verdict: "regressed", severity: "medium" } }])).toMatch(/\+20\.0 % regressed/);
  });

  it("keeps value, target and status at 80 columns", () => {
    const lines = write(toRows([reading("missed", 7.25)]), 80).split("\n");
    expect(lines[1]).toMatch(/Environment step time +7\.25 ms .*< 1\.00 .*target missed/);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
  });
});

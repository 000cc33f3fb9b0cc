import { type HostKpi, kpis, readKpis } from "@fleetmark/shared/model/kpis";
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { formatKpiTable } from "./kpi-table.js";

const plain = pc.createColors(false);
const coloured = pc.createColors(true);

describe("formatKpiTable", () => {
  const reading = (status: HostKpi["status"], value: number): HostKpi => ({
    ...readKpis([])[0],
    value,
    low: value,
    high: value,
    status,
    name: "b",
  });

  it("shows every KPI, also those not measured, plain when colours are off", () => {
    const text = formatKpiTable(readKpis([]), plain);
    for (const kpi of kpis) expect(text).toContain(kpi.title);
    expect(text.match(/not measured/g)).toHaveLength(kpis.length);
    expect(text).not.toContain("\u001b");
  });

  it("shows value, target, alert threshold and status", () => {
    const text = formatKpiTable([reading("alert", 7.25)], plain);
    expect(text.split("\n")[1]).toMatch(/Environment step time +7\.25 ms +7\.25 … 7\.25 +< 1\.00 +> 5\.00 +ALERT +b/);
    expect(formatKpiTable([reading("alert", 7)], coloured)).toContain("\u001b[31m");
  });
});

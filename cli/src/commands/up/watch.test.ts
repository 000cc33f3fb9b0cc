import { ageKpis } from "@fleetmark/shared/judgement/freshness";
import { type HostKpi, readKpis } from "@fleetmark/shared/model/kpis";
import { describe, expect, it } from "vitest";
import { describeMinute } from "./watch.js";

const nowUs = new Date(2026, 0, 31, 12, 5).getTime() * 1000;
const missing = readKpis([]);
const measured = (status: HostKpi["status"], hoursAgo: number): HostKpi => ({
  ...(missing[0] as HostKpi),
  status,
  value: 1,
  time_us: nowUs - hoursAgo * 3600e6,
});

describe("the line of a minute", () => {
  it("says what was stored, who is there, and how the KPIs stand", () => {
    const kpis = ageKpis([measured("ok", 1), measured("ok", 2), measured("missed", 2)], nowUs, 26 * 3600);
    const hosts = [{ host: "vm", attached: true }];
    expect(describeMinute({ nowUs, hosts, kpis, values: 1234, firing: [] })).toBe(
      "12:05  host attached, 1 234 values stored; KPIs: 2 ok, 1 target missed",
    );
  });

  it("names hosts that are away, and counts stale KPIs as such", () => {
    const kpis = ageKpis([measured("ok", 30), measured("alert", 30)], nowUs, 26 * 3600);
    const hosts = [
      { host: "a", attached: true },
      { host: "b\u0007", attached: false },
    ];
    expect(describeMinute({ nowUs, hosts, kpis, values: undefined, firing: ["Agent down"] })).toBe(
      "12:05  2 hosts, away: b\\x07; KPIs: 1 stale, 1 stale, was ALERT; firing: Agent down",
    );
  });

  it("says that nothing was measured", () => {
    expect(describeMinute({ nowUs, hosts: [], kpis: [], values: 0, firing: ["a", "b"] })).toMatch(
      /no host was heard of, 0 values stored; KPIs: none measured; 2 alerts fire \(/,
    );
  });
});

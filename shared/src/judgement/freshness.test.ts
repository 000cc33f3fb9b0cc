import { type HostKpi, readKpis } from "@fleetmark/shared/model/kpis";
import { describe, expect, it } from "vitest";
import { ageKpis, defaultStaleAfterS, isStale } from "./freshness.js";

const nowUs = 1_800_000_000e6;
const hoursAgo = (hours: number): number => nowUs - hours * 3600e6;

describe("freshness", () => {
  it("lasts for a day and two hours, to the microsecond", () => {
    expect(isStale(hoursAgo(26), nowUs, defaultStaleAfterS)).toBe(false);
    expect(isStale(hoursAgo(26) - 1, nowUs, defaultStaleAfterS)).toBe(true);
  });

  it("is that of what a clock ahead has stamped", () => {
    expect(isStale(hoursAgo(-5), nowUs, 0)).toBe(false);
  });
});

describe("KPIs that age", () => {
  const [missing] = readKpis([]) as [HostKpi, ...HostKpi[]];
  const measured = (status: HostKpi["status"], time_us: number): HostKpi => ({ ...missing, status, value: 1, time_us });

  it.each(["ok", "missed", "alert"] as const)("are %s while they are new, and stale after", (status) => {
    const [fresh, old] = ageKpis([measured(status, hoursAgo(1)), measured(status, hoursAgo(30))], nowUs, defaultStaleAfterS);
    expect(fresh).toMatchObject({ status, measured_status: status, age_s: 3600 });
    expect(old).toMatchObject({ status: "stale", measured_status: status, age_s: 30 * 3600 });
  });

  it("that are measured by a schedule last for twice its time", () => {
    const weekly = { ...measured("ok", hoursAgo(13 * 24)), stale_after_s: 14 * 86_400 };
    expect(ageKpis([weekly, { ...weekly, time_us: hoursAgo(15 * 24) }], nowUs).map(({ status }) => status)).toEqual([
      "ok",
      "stale",
    ]);
    // Whoever asks may have another opinion.
    expect(ageKpis([weekly], nowUs, 3600)).toMatchObject([{ status: "stale" }]);
  });

  it("stay missing where nothing was measured", () => {
    expect(ageKpis([missing], nowUs, 1)).toMatchObject([{ status: "missing", age_s: null }]);
  });

  it("have the age of nothing where their clock is ahead", () => {
    expect(ageKpis([measured("ok", hoursAgo(-1))], nowUs, 1)).toMatchObject([{ status: "ok", age_s: 0 }]);
  });
});

import { buildKpiCatalogue, type KpiRule } from "@fleetmark/shared/model/kpi-rules";
import { kpis } from "@fleetmark/shared/model/kpis";
import { resultRecord } from "@fleetmark/shared/records/result";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeResult } from "../../test/support.js";
import type { StoreReader } from "../store/store.js";
import { findUnmatched, watchUnmatchedKpis } from "./unmatched-kpis.js";

const dayUs = 86_400e6;
const nowUs = 1_700_000_000e6;
const rules: KpiRule[] = [
  { id: "environment_step_time_ms", hosts: "edge-*", alert: 9 },
  { id: "mistyped", benchmark: "enviroment_step", unit: "ms", target: 1, alert: 2 },
];
const { catalogue } = buildKpiCatalogue(rules);
const step = makeResult({ category: "environment", benchmark: "environment_step", host: "edge-1", time_us: nowUs - dayUs });

describe("findUnmatched", () => {
  it("names the configured KPIs that no result feeds, with the hosts that they are for", () => {
    expect(findUnmatched(catalogue, [step])).toEqual(["mistyped"]);
    expect(findUnmatched(catalogue, [{ ...step, host: "lab-1" }])).toEqual([
      "environment_step_time_ms (hosts edge-*)",
      "mistyped",
    ]);
    expect(findUnmatched(kpis, [])).toEqual([]);
  });
});

describe("watchUnmatchedKpis", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const watch = (before: boolean, latest = [step]) => {
    const readLatest = vi.fn(async (kind: unknown, { benchmark }: { benchmark: string }) =>
      kind === resultRecord ? latest.filter((each) => each.benchmark === benchmark) : [],
    );
    // The newest run is as old as the results; one of before that is there or not.
    const readNewest = async (_: unknown, { beforeUs }: { beforeUs?: number }) =>
      beforeUs === undefined ? latest : before ? [{ time_us: beforeUs - 1 }] : [];
    const store = { readNewest, readLatest } as unknown as StoreReader;
    const watched = watchUnmatchedKpis({ catalogue, store, logger: pino({ level: "silent" }) }, () => nowUs);
    return { watched, readLatest };
  };

  it("says after a week what was never fed, and nothing before, nor of a fleet that measures nothing", async () => {
    const { watched } = watch(true);
    expect(watched.find()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(watched.find()).toBe("no result has fed these KPIs of the configuration for a week: mistyped");
    await watched.stop();
    for (const { watched: other } of [watch(false), watch(true, [{ ...step, time_us: nowUs - 8 * dayUs }])]) {
      await vi.advanceTimersByTimeAsync(61_000);
      expect(other.find()).toBeUndefined();
      await other.stop();
    }
  });

  it("looks again after a failure", async () => {
    const { watched, readLatest } = watch(true);
    readLatest.mockRejectedValueOnce(new Error("no store"));
    await vi.advanceTimersByTimeAsync(61_000);
    expect(watched.find()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(watched.find()).toMatch(/mistyped/);
    await watched.stop();
  });
});

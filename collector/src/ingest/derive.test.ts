import { readKpis } from "@fleetmark/shared/model/kpis";
import { resultToPoint, runToPoint } from "@fleetmark/shared/model/result";
import { describe, expect, it } from "vitest";
import { buildBatch, makeResult, makeRun } from "../../test/support.js";
import { readBatchPoints } from "./batch-points.js";
import { addKpis } from "./derive.js";

describe("addKpis", () => {
  it("adds the KPI that a result gives, and leaves what was there", () => {
    const result = makeResult();
    const cpu = { measurement: "cpu", tags: {}, timeUs: result.time_us, fields: { usage_user: 1 } };
    const batch = buildBatch(1, [cpu, resultToPoint(result)]);
    const enriched = addKpis(batch);
    const [kpi] = readBatchPoints(enriched, new Set(["kpi"]));
    expect(kpi.point.tags).toMatchObject({ kpi: "policy_inference_time_ms", host: "h1", runtime: "jax-js" });
    expect(kpi.point.fields).toMatchObject({ value: 0.05, target: 0.1, alert: 1, status: "ok", run: "run-1" });
    const reading = readKpis([result]).find(({ kpi: name }) => name === "policy_inference_time_ms");
    expect(kpi.point.fields.low).toBe(reading?.low);
    expect(readBatchPoints(enriched, new Set(["cpu", "benchmark"]))).toEqual(
      readBatchPoints(batch, new Set(["cpu", "benchmark"])),
    );
  });

  it("adds the window of a run", () => {
    const run = makeRun();
    const [window] = readBatchPoints(addKpis(buildBatch(1, [runToPoint(run)])), new Set(["run_window"]));
    expect(window.point).toMatchObject({ timeUs: run.started_us, fields: { ended_ms: run.time_us / 1000, run: run.run } });
  });

  it("returns a batch that feeds no KPI as it is", () => {
    const batch = buildBatch(1, [resultToPoint(makeResult({ benchmark: "another" }))]);
    expect(addKpis(batch)).toBe(batch);
  });
});

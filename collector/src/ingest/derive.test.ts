import { readKpis } from "@fleetmark/shared/model/kpis";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { kpiRecord } from "@fleetmark/shared/records/kpi";
import { selectRecords } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { describe, expect, it } from "vitest";
import { buildBatch, makeResult, makeRun } from "../../test/support.js";
import { readBatchPoints } from "./batch-points.js";
import { deriveRecords } from "./derive.js";

const cpu = { measurement: "cpu", tags: {}, timeUs: Date.now() * 1000, fields: { usage_user: 1 } };

function buildOfResult(result: Result) {
  return { batch: buildBatch(1, [cpu, resultRecord.toPoint(result)]), records: [{ kind: resultRecord, record: result }] };
}

function buildOfRun(run: Run) {
  return { batch: buildBatch(1, [runRecord.toPoint(run)]), records: [{ kind: runRecord, record: run }] };
}

describe("deriveRecords", () => {
  it("adds the KPI that a result gives, and leaves what was there", () => {
    const result = makeResult();
    const { batch, records } = buildOfResult(result);
    const derived = deriveRecords(batch, records);
    const [kpi] = readBatchPoints(derived.batch, new Set(["kpi"]));
    expect(kpi.point.tags).toMatchObject({ kpi: "policy_inference_time_ms", host: "h1", runtime: "jax-js" });
    expect(kpi.point.fields).toMatchObject({ value: 0.05, target: 0.1, alert: 1, status: "ok", run: "run-1" });
    const reading = readKpis([result]).find(({ kpi: name }) => name === "policy_inference_time_ms");
    expect(kpi.point.fields.low).toBe(reading?.low);
    expect(readBatchPoints(derived.batch, new Set(["cpu", "benchmark"]))).toEqual(
      readBatchPoints(batch, new Set(["cpu", "benchmark"])),
    );
    expect(selectRecords(derived.records, resultRecord)).toEqual([result]);
    expect(selectRecords(derived.records, kpiRecord).map((record) => kpiRecord.toPoint(record))).toEqual([kpi.point]);
  });

  it("adds the window of a run", () => {
    const run = makeRun();
    const { batch, records } = buildOfRun(run);
    const [window] = readBatchPoints(deriveRecords(batch, records).batch, new Set(["run_window"]));
    expect(window.point).toMatchObject({ timeUs: run.started_us, fields: { ended_ms: run.time_us / 1000, run: run.run } });
  });

  it("returns a batch that feeds no KPI as it is", () => {
    const { batch, records } = buildOfResult(makeResult({ benchmark: "another" }));
    expect(deriveRecords(batch, records).batch).toBe(batch);
  });
});

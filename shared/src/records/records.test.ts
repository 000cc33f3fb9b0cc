import { describe, expect, it } from "vitest";
import {
  makeAlert,
  makeAuditRecord,
  makeBaseline,
  makeCampaignRecord,
  makeCommandRecord,
  makeNotification,
  makeResult,
  makeRun,
  makeSilence,
  makeSkipped,
  makeVerdict,
  makeVerdictMark,
} from "../../test/records.js";
import type { Run } from "../model/result.js";
import { alertRecord, notificationRecord, silenceRecord } from "./alert.js";
import { auditRecord } from "./audit.js";
import { baselineRecord } from "./baseline.js";
import { campaignRecord } from "./campaign.js";
import { commandRecord } from "./command.js";
import { introductionRecord, layOutIntroduction } from "./introduction.js";
import { deriveKpis, kpiRecord } from "./kpi.js";
import type { RecordKind } from "./record-kind.js";
import { belongsToRecord, isRecord, recordKinds, recordMeasurements, sentKinds } from "./registry.js";
import { resultRecord } from "./result.js";
import { runRecord } from "./run.js";
import { deriveRunWindow, runWindowRecord } from "./run-window.js";
import { skippedRunRecord } from "./skipped-run.js";
import { verdictRecord } from "./verdict.js";
import { verdictMarkRecord } from "./verdict-mark.js";

const result = makeResult();
const run = makeRun();
const introduction = { host: "h1", version: "1", hw_class: "c1", inventory: { cpu: "x", cores: 2 }, time_us: 5 };

interface Example<R> {
  readonly kind: RecordKind<R>;
  readonly record: R;
}

function example<R>(kind: RecordKind<R>, record: R): Example<unknown> {
  return { kind, record };
}

const [kpi] = deriveKpis(result);
const examples = [
  example(resultRecord, result),
  example(runRecord, run),
  example(runWindowRecord, deriveRunWindow(run)),
  ...(kpi === undefined ? [] : [example(kpiRecord, kpi)]),
  example(introductionRecord, introduction),
  example(skippedRunRecord, makeSkipped()),
  example(commandRecord, makeCommandRecord()),
  example(campaignRecord, makeCampaignRecord()),
  example(auditRecord, makeAuditRecord()),
  example(verdictRecord, makeVerdict({ low: undefined, high: undefined })),
  example(baselineRecord, makeBaseline({ pinned_result: undefined, pinned_environment: undefined })),
  example(verdictMarkRecord, makeVerdictMark()),
  example(alertRecord, makeAlert()),
  example(silenceRecord, makeSilence()),
  example(notificationRecord, makeNotification()),
];

it("has an example of every kind", () => {
  expect(examples.map(({ kind }) => kind.measurement)).toEqual(recordKinds.map(({ measurement }) => measurement));
});

describe.each(examples)("a record of $kind.measurement", ({ kind, record }) => {
  it("reads back whole", () => {
    expect(kind.fromPoint(kind.toPoint(record))).toEqual(record);
  });

  it("keeps to the tags and fields that its kind names", () => {
    const { tags, fields, measurement } = kind.toPoint(record);
    expect(measurement).toBe(kind.measurement);
    expect(Object.keys(tags).sort()).toEqual([...kind.tags].sort());
    expect(kind.tags).toEqual(expect.arrayContaining([...kind.identity]));
    expect(fields[kind.textField]).toBeTypeOf("string");
    if (kind.runField !== undefined) expect(fields[kind.runField]).toBeTypeOf("string");
    if (kind.ownFields !== undefined) expect(Object.keys(fields)).toEqual(kind.ownFields);
  });

  it("is refused when it is not whole", () => {
    const point = kind.toPoint(record);
    for (const lost of Object.keys(point.fields)) {
      const { [lost]: _, ...fields } = point.fields;
      expect(() => kind.fromPoint({ ...point, fields }), lost).toThrow(expect.objectContaining({ code: "STORE_FAILED" }));
    }
  });
});

describe("a result", () => {
  it("carries the median of each of its runs, and how they differ", () => {
    const whole = makeResult({ run_medians: [4.95e-5, 5.05e-5], run_spread: 0.014, run_spread_degrees: 1 });
    const point = resultRecord.toPoint(whole);
    expect(point.fields).toMatchObject({ run_medians: "[0.0000495,0.0000505]", run_spread: 0.014, run_spread_degrees: 1 });
    expect(resultRecord.fromPoint(point)).toEqual(whole);
  });
});

describe("a decision of a baseline", () => {
  it("carries what is pinned, whole", () => {
    const pinned = makeBaseline({ pinned_result: makeResult({ run: "as delivered" }) });
    expect(baselineRecord.fromPoint(baselineRecord.toPoint(pinned))).toEqual(pinned);
  });
});

describe("a run", () => {
  const origin = { commit: "1a2b", branch: "main", dirty: "no", labels: { pr: "12" } } as const;

  it("carries what was measured, as texts", () => {
    const point = runRecord.toPoint(makeRun(origin));
    expect(point.fields).toMatchObject({ commit: "1a2b", branch: "main", dirty: "no", labels: '{"pr":"12"}' });
    expect(runRecord.fromPoint(point)).toEqual(makeRun(origin));
  });

  it("carries how it came to be, and why it ended early", () => {
    const life = { state: "yielded", trigger: "command", command: "c1", continues: "r0", reason: "a job began" } as const;
    const point = runRecord.toPoint(makeRun(life));
    expect(point.fields).toMatchObject(life);
    expect(runRecord.fromPoint(point)).toEqual(makeRun(life));
  });

  it("of before, which says nothing of it, still reads back", () => {
    const point = runRecord.toPoint(makeRun({ commit: undefined, labels: undefined }));
    expect(point.fields).not.toHaveProperty("commit");
    expect(runRecord.fromPoint(point)).toEqual(makeRun());
  });

  it("does not change its environment by what was measured", () => {
    expect(deriveRunWindow(makeRun(origin)).environment).toBe(deriveRunWindow(makeRun()).environment);
  });
});

describe("the registry", () => {
  it("knows what is kept as records, in the order in which servers are set up with it", () => {
    expect(recordMeasurements).toEqual([
      "benchmark",
      "run",
      "run_window",
      "kpi",
      "skipped_run",
      "command",
      "campaign",
      "audit",
      "verdict",
      "baseline",
      "verdict_mark",
      "alert",
      "silence",
      "notification",
    ]);
    expect(sentKinds.map(({ measurement }) => measurement)).toEqual(["benchmark", "run", "skipped_run", "command"]);
    expect([isRecord("kpi"), isRecord("agent"), isRecord("cpu")]).toEqual([true, false, false]);
  });

  it("tells the texts of an introduction from the telemetry beside them", () => {
    expect([belongsToRecord("agent", "texts"), belongsToRecord("agent", "numbers")]).toEqual([true, false]);
    expect([belongsToRecord("benchmark", "numbers"), belongsToRecord("cpu", "texts")]).toEqual([true, false]);
  });
});

it("keeps an inventory to the letter", () => {
  const text = '{ "cpu": "x",  "big": 1e3 }';
  const point = layOutIntroduction(introduction, text, 5);
  expect(point.fields).toEqual({ version: "1", hardware_class: "c1", inventory: text });
  expect(introductionRecord.fromPoint(point).inventory).toEqual({ cpu: "x", big: 1000 });
});

describe("what is derived", () => {
  it("is the window of a run, whose environment changes with the fingerprint and not with its order", () => {
    const window = runWindowRecord.toPoint(deriveRunWindow(run));
    expect(window).toMatchObject({ measurement: "run_window", tags: { host: "h1" }, timeUs: 1_000_000 });
    expect(window.fields.ended_ms).toBe(3000);
    const environmentOf = (fingerprint: Run["fingerprint"]) => deriveRunWindow({ ...run, fingerprint }).environment;
    expect(environmentOf({ node: "20", kernel: "6.1" })).toBe(window.fields.environment);
    expect(environmentOf({ node: "20", kernel: "6.2" })).not.toBe(window.fields.environment);
  });

  it("is the KPI that a result feeds, with the run's id as a field", () => {
    expect(kpi === undefined ? undefined : kpiRecord.toPoint(kpi)).toMatchObject({
      measurement: "kpi",
      tags: { kpi: "policy_inference_time_ms", host: "h1" },
      fields: { run: "r1" },
    });
    expect(deriveKpis({ ...result, benchmark: "other" })).toEqual([]);
  });
});

import { z } from "zod";
import { findKpis, type Kpi, kpiStatuses, rateSeverity, readKpi } from "../model/kpis.js";
import { type Result, resultSchema } from "../model/result.js";
import { defineRecord } from "./record-kind.js";

const { host, hw_class, suite, benchmark, runtime, device, params, time_us, run } = resultSchema.shape;

/** A KPI that a result gave: what dashboards and alert rules read. */
export const kpiSchema = z.object({
  kpi: z.string().describe("id of the KPI in the catalogue"),
  host,
  hw_class,
  suite,
  benchmark,
  runtime,
  device,
  params,
  time_us,
  value: z.number().describe("in the KPI's unit"),
  low: z.number().describe("lower bound of the 95 % interval"),
  high: z.number().describe("upper bound of the 95 % interval"),
  target: z.number(),
  alert: z.number(),
  status: z.enum(kpiStatuses).exclude(["missing"]),
  reason: z.string().optional().describe("why it is undecided"),
  stale_after_s: z.number().optional().describe("age from which on it says how fast the host was, seconds"),
  severity: z.number().describe("1 at the target, 2 at the alert threshold, linear between and beyond"),
  run,
});

export type KpiRecord = z.infer<typeof kpiSchema>;

export const kpiRecord = defineRecord({
  measurement: "kpi",
  tags: ["kpi", "host", "hw_class", "suite", "benchmark", "runtime", "device", "params"],
  identity: ["kpi", "host", "benchmark", "runtime", "device", "params"],
  textField: "status",
  runField: "run",
  origin: "derived",
  schema: kpiSchema,
});

function layOutKpi(kpi: Kpi, result: Result): KpiRecord {
  const { value, low, high, target, alert, status, reason, stale_after_s } = readKpi(kpi, result);
  return {
    kpi: kpi.id,
    host: result.host,
    hw_class: result.hw_class,
    suite: result.suite,
    benchmark: result.benchmark,
    runtime: result.runtime,
    device: result.device,
    params: result.params,
    time_us: result.time_us,
    value,
    low,
    high,
    target,
    alert,
    status,
    ...(reason === "" ? {} : { reason }),
    ...(stale_after_s === null ? {} : { stale_after_s }),
    severity: rateSeverity(kpi, value),
    run: result.run,
  };
}

/** Derives the KPIs that a result gives. */
export function deriveKpis(result: Result, catalogue?: readonly Kpi[]): KpiRecord[] {
  return findKpis(result, catalogue).map((kpi) => layOutKpi(kpi, result));
}

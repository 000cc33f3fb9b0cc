import { z } from "zod";
import { findKpi, kpiStatuses, rateSeverity, readKpi } from "../model/kpis.js";
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

/** Derives the KPI that a result gives, if it feeds one. */
export function deriveKpi(result: Result): KpiRecord | undefined {
  const kpi = findKpi(result);
  if (kpi === undefined) return undefined;
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

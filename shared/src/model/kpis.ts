import { z } from "zod";
import { formatNumber } from "./numbers.js";
import type { Category, Result } from "./result.js";

/**
 * ok: on the good side of the target; missed: past the target, short of the alert threshold; alert: past it; undecided:
 * the interval lies on both sides of one of them, or the work has no level; missing: not measured.
 */
export const kpiStatuses = ["ok", "missed", "alert", "undecided", "missing"] as const;
export type KpiStatus = (typeof kpiStatuses)[number];

const kpiUnits = ["ms", "%", "MB", "s", "transitions/s"] as const;

/**
 * One key performance indicator. This catalogue is the single source for the CLI, the judge, dashboards and alert
 * rules.
 */
export interface Kpi {
  readonly id: string;
  readonly title: string;
  readonly unit: (typeof kpiUnits)[number];
  readonly better: "lower" | "higher";
  readonly target: number;
  readonly alert: number;
  readonly description: string;
  /** Which results feed it. */
  readonly category: Category;
  readonly benchmark: string;
  readonly params?: string;
  /** What of the result is read, and the factor from the result's unit to the KPI's. */
  readonly read: "median" | "throughput";
  readonly scale: number;
  /** What it amounts to in another unit: the value divided by a parameter of the benchmark. */
  readonly also?: { readonly unit: string; readonly dividedBy: string };
  /** Which result speaks for the host where several feed the KPI. */
  readonly speaks: "worst" | "best";
}

export const kpis: readonly Kpi[] = [
  {
    id: "environment_step_time_ms",
    title: "Environment step time",
    unit: "ms",
    better: "lower",
    target: 1,
    alert: 5,
    description: "Median time of one step with constraint checking; the worst environment of the suite",
    category: "environment",
    benchmark: "environment_step",
    read: "median",
    scale: 1e3,
    speaks: "worst",
  },
  {
    id: "policy_inference_time_ms",
    title: "Policy forward pass",
    unit: "ms",
    better: "lower",
    target: 0.1,
    alert: 1,
    description: "Median time of one policy forward pass at batch 1 on the host's best runtime",
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=1",
    read: "median",
    scale: 1e3,
    speaks: "best",
  },
  {
    id: "safety_validation_overhead_percent",
    title: "Safety validation overhead",
    unit: "%",
    better: "lower",
    target: 10,
    alert: 25,
    description:
      "(checked − unchecked) / unchecked over interleaved episodes, of the bare step and with a policy in the loop; the worse",
    category: "safety",
    benchmark: "safety_overhead",
    read: "median",
    scale: 1,
    speaks: "worst",
  },
  {
    id: "memory_usage_per_episode_mb",
    title: "Peak memory per episode",
    unit: "MB",
    better: "lower",
    target: 100,
    alert: 500,
    description: "Peak resident memory of the isolated process during a 1000-step episode, minus its resident memory before",
    category: "memory",
    benchmark: "episode_memory",
    read: "median",
    scale: 1,
    speaks: "worst",
  },
  {
    id: "compilation_time_s",
    title: "JIT compilation time",
    unit: "s",
    better: "lower",
    target: 5,
    alert: 30,
    description: "First call minus steady call of the suite's slowest kernel, each in a fresh process",
    category: "jax",
    benchmark: "jit_compile",
    read: "median",
    scale: 1,
    speaks: "worst",
  },
  {
    id: "training_throughput_steps_per_sec",
    title: "Training throughput",
    unit: "transitions/s",
    better: "higher",
    target: 1000,
    alert: 100,
    description: "Transitions processed per second by TD3+BC updates of 256 each, on the host's best runtime",
    category: "rl",
    benchmark: "td3_bc_update",
    params: "batch=256",
    read: "throughput",
    scale: 1,
    speaks: "best",
    also: { unit: "updates/s", dividedBy: "batch" },
  },
];

/**
 * A KPI of one host, measured or not: `value`, its interval and what speaks for the host are null where nothing was
 * measured.
 */
export const hostKpiSchema = z.object({
  kpi: z.string(),
  value: z.number().nullable(),
  unit: z.enum(kpiUnits),
  low: z.number().nullable().describe("lower bound of the 95 % interval"),
  high: z.number().nullable().describe("upper bound of the 95 % interval"),
  target: z.number(),
  alert: z.number(),
  status: z.enum(kpiStatuses),
  reason: z.string().describe("why it is undecided; empty where it is not"),
  also: z.string().describe("the value in another unit, such as 33.8 updates/s; empty where there is none"),
  name: z.string().nullable().describe("the benchmark that speaks for the host"),
  run: z.string().nullable(),
  time_us: z.int().nonnegative().describe("microseconds since the Unix epoch").nullable(),
  stale_after_s: z
    .number()
    .nullable()
    .describe("age from which on it says how fast the host was: twice the time of its schedule; null where it has none"),
});

export type HostKpi = z.infer<typeof hostKpiSchema>;

/** A KPI as a result gave it. */
export type KpiReading = { readonly [K in Exclude<keyof HostKpi, "stale_after_s">]: NonNullable<HostKpi[K]> } & {
  readonly status: Exclude<KpiStatus, "missing">;
  readonly stale_after_s: number | null;
};

/** Tells on which side of the target and the alert threshold a value lies. Values on the line are not past it. */
export function judgeKpi(kpi: Kpi, value: number): "ok" | "missed" | "alert" {
  const sign = kpi.better === "lower" ? 1 : -1;
  if (sign * (value - kpi.alert) > 0) return "alert";
  return sign * (value - kpi.target) >= 0 ? "missed" : "ok";
}

/** Judges a result by its whole interval: what may lie on either side of a line is not called. */
function judgeInterval(kpi: Kpi, bounds: readonly number[], result: Result): Pick<KpiReading, "status" | "reason"> {
  if (result.steady_state === "no_steady_state") return { status: "undecided", reason: "not steady" };
  const [status, ...others] = bounds.map((bound) => judgeKpi(kpi, bound));
  if (others.every((other) => other === status)) return { status, reason: "" };
  return { status: "undecided", reason: result.disturbance === "" ? "wide" : `wide, disturbed: ${result.disturbance}` };
}

/**
 * Places a value on one scale for all KPIs: 1 at the target, 2 at the alert threshold, linear between and beyond. So
 * the KPIs of a host compare with each other, and one limit finds what is past its threshold.
 */
export function rateSeverity(kpi: Kpi, value: number): number {
  return 1 + (value - kpi.target) / (kpi.alert - kpi.target);
}

/** Returns the KPI that a result feeds, if any. */
export function findKpi(result: Pick<Result, "category" | "benchmark" | "params">): Kpi | undefined {
  return kpis.find(
    (kpi) =>
      kpi.category === result.category &&
      kpi.benchmark === result.benchmark &&
      (kpi.params === undefined || result.params.split(",").includes(kpi.params)),
  );
}

function convertValue({ also }: Kpi, value: number, params: string): string {
  const divisor = Number(
    params
      .split(",")
      .find((each) => each.startsWith(`${also?.dividedBy}=`))
      ?.split("=")[1],
  );
  return also === undefined || !(divisor > 0) ? "" : `${formatNumber(value / divisor)} ${also.unit}`;
}

/** Reads a KPI off a result that feeds it. The interval of a throughput is the inverted interval of the time. */
export function readKpi(kpi: Kpi, result: Result): KpiReading {
  const ofMedian = (bound: number): number =>
    kpi.read === "median" ? bound * kpi.scale : (result.throughput * kpi.scale * result.median) / bound;
  const bounds = [ofMedian(result.median_low), ofMedian(result.median_high)].sort((a, b) => a - b);
  const value = ofMedian(result.median);
  return {
    kpi: kpi.id,
    value,
    unit: kpi.unit,
    low: bounds[0],
    high: bounds[1],
    target: kpi.target,
    alert: kpi.alert,
    ...judgeInterval(kpi, [value, ...bounds], result),
    also: convertValue(kpi, value, result.params),
    name: result.name,
    run: result.run,
    time_us: result.time_us,
    stale_after_s: result.every_s === undefined ? null : 2 * result.every_s,
  };
}

function describeMissing({ id, unit, target, alert }: Kpi): HostKpi {
  return {
    kpi: id,
    value: null,
    unit,
    low: null,
    high: null,
    target,
    alert,
    status: "missing",
    reason: "",
    also: "",
    name: null,
    run: null,
    time_us: null,
    stale_after_s: null,
  };
}

/** Folds results of one host into all KPIs of the catalogue, in its order; those that nothing feeds are `missing`. */
export function readKpis(results: readonly Result[]): HostKpi[] {
  return kpis.map((kpi) => {
    const readings = results.filter((result) => findKpi(result) === kpi).map((result) => readKpi(kpi, result));
    const towardsSpeaker = (kpi.better === "lower") === (kpi.speaks === "worst") ? 1 : -1;
    const ordered = readings.sort((a, b) => towardsSpeaker * (b.value - a.value));
    return ordered[0] ?? describeMissing(kpi);
  });
}

import { z } from "zod";
import { matchGlob } from "./glob.js";
import { formatNumber } from "./numbers.js";
import { type Category, type Result, readP99 } from "./result.js";

/**
 * ok: on the good side of the target; missed: past the target, short of the alert threshold; alert: past it; undecided:
 * the interval lies on both sides of one of them, or the work has no level; missing: not measured.
 */
export const kpiStatuses = ["ok", "missed", "alert", "undecided", "missing"] as const;
export type KpiStatus = (typeof kpiStatuses)[number];

/** What of a result a KPI may be. */
export const kpiFields = [
  "median",
  "mean",
  "p90",
  "p95",
  "p99",
  "p999",
  "min",
  "max",
  "throughput",
  "memory_peak_mb",
  "cpu_percent",
] as const;
export type KpiField = (typeof kpiFields)[number];

export const alertSeverities = ["warning", "critical"] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

/**
 * One key performance indicator. This catalogue is the single source for the CLI, the judge, dashboards and alert
 * rules; rules of the configuration change it (`buildKpiCatalogue`).
 */
export interface Kpi {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly target: number;
  readonly alert: number;
  readonly description: string;
  /** Which results feed it; parts that are left out may be any. */
  readonly category?: Category;
  readonly benchmark: string;
  /** Parameters that the benchmark must have, as key=value joined by commas. */
  readonly params?: string;
  readonly runtime?: string;
  readonly device?: string;
  /** Of results whose samples, or whose throughput, are in this unit alone. */
  readonly of?: string;
  /** Globs of the hosts and of the hardware classes that it holds for. */
  readonly hosts?: string;
  readonly hw_class?: string;
  /** What of the result is read, and the factor from the result's unit to the KPI's. */
  readonly read: KpiField;
  readonly scale: number;
  /** What it amounts to in another unit: the value divided by a parameter of the benchmark. */
  readonly also?: { readonly unit: string; readonly dividedBy: string };
  /** Which result speaks for the host where several feed the KPI. */
  readonly speaks: "worst" | "best";
  /** Seconds for which it must be past a line before an alert fires. */
  readonly forS?: number;
  /** How bad it is that the alert threshold is passed; critical where it is left out. Past the target is a warning. */
  readonly severity?: AlertSeverity;
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
  title: z.string(),
  better: z.enum(["lower", "higher"]),
  value: z.number().nullable(),
  unit: z.string(),
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
  const isOfTimes = kpi.read !== "memory_peak_mb" && kpi.read !== "cpu_percent";
  if (isOfTimes && result.steady_state === "no_steady_state") return { status: "undecided", reason: "not steady" };
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

/** Selects what of a catalogue holds for a host: of each id the first that is not for others. */
export function selectKpis(catalogue: readonly Kpi[], { host, hw_class }: Pick<Result, "host" | "hw_class">): Kpi[] {
  const chosen = new Map<string, Kpi>();
  for (const kpi of catalogue) {
    const isMeant = matchGlob(kpi.hosts ?? "*", host) && matchGlob(kpi.hw_class ?? "*", hw_class);
    if (isMeant && !chosen.has(kpi.id)) chosen.set(kpi.id, kpi);
  }
  return [...chosen.values()];
}

type Fed = Pick<Result, "category" | "benchmark" | "params"> &
  Partial<Pick<Result, "runtime" | "device" | "unit" | "throughput_unit">>;

/** Whether results of a kind feed a KPI. */
export function feedsKpi(kpi: Kpi, result: Fed): boolean {
  const same = (wanted: string | undefined, found: string | undefined): boolean => wanted === undefined || wanted === found;
  const params = result.params.split(",");
  return (
    kpi.benchmark === result.benchmark &&
    same(kpi.category, result.category) &&
    same(kpi.runtime, result.runtime) &&
    same(kpi.device, result.device) &&
    same(kpi.of, kpi.read === "throughput" ? result.throughput_unit : result.unit) &&
    (kpi.params ?? "").split(",").every((each) => each === "" || params.includes(each))
  );
}

/** Finds the KPIs that a result feeds. */
export function findKpis(result: Fed & Pick<Result, "host" | "hw_class">, catalogue: readonly Kpi[] = kpis): Kpi[] {
  return selectKpis(catalogue, result).filter((kpi) => feedsKpi(kpi, result));
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

/**
 * Reads the value and its interval. That of a throughput is the inverted interval of the time; what has none is its
 * own.
 */
function readValue({ read, scale }: Kpi, result: Result): { readonly value: number; readonly bounds: readonly number[] } {
  const { median, median_low, median_high, throughput } = result;
  if (read === "median") return { value: median * scale, bounds: [median_low * scale, median_high * scale] };
  if (read === "throughput") {
    const atTime = (time: number): number => (throughput * scale * median) / time;
    return { value: atTime(median), bounds: [atTime(median_high), atTime(median_low)] };
  }
  const value = (read === "p99" ? readP99(result) : result[read]) * scale;
  return { value, bounds: [value, value] };
}

/** Reads a KPI off a result that feeds it. */
export function readKpi(kpi: Kpi, result: Result): KpiReading {
  const { value, bounds } = readValue(kpi, result);
  return {
    kpi: kpi.id,
    title: kpi.title,
    better: kpi.better,
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

function describeMissing({ id, title, better, unit, target, alert }: Kpi): HostKpi {
  return {
    kpi: id,
    title,
    better,
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

/** Folds results of one host into the KPIs that hold for it, in their order; those that nothing feeds are `missing`. */
export function readKpis(results: readonly Result[], catalogue: readonly Kpi[] = kpis): HostKpi[] {
  const [first] = results;
  const meant =
    first === undefined ? catalogue.filter(({ hosts, hw_class }) => !hosts && !hw_class) : selectKpis(catalogue, first);
  return meant.map((kpi) => {
    const readings = results.filter((result) => feedsKpi(kpi, result)).map((result) => readKpi(kpi, result));
    const towardsSpeaker = (kpi.better === "lower") === (kpi.speaks === "worst") ? 1 : -1;
    const ordered = readings.sort((a, b) => towardsSpeaker * (b.value - a.value));
    return ordered[0] ?? describeMissing(kpi);
  });
}

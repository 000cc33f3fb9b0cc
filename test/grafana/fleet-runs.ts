import { feedsKpi, type Kpi, kpis } from "@fleetmark/shared/model/kpis";
import { type Category, formatBenchmarkName, type Result, type Run } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { deriveRunWindow, runWindowRecord } from "@fleetmark/shared/records/run-window";
import { breachingValue, type FleetFacts, type Host, isSilent, kpiBreach, parts } from "./fleet-parts.js";

/** What the simulated hosts measure: results and runs, as the agent and the collector make points of real ones. */

interface SimulatedBenchmark {
  readonly category: Category;
  readonly benchmark: string;
  readonly params: string;
  readonly runtime: string;
  readonly device: string;
  readonly quantity: Result["quantity"];
  readonly unit: Result["unit"];
  readonly median: number;
  /** Things processed in one iteration; 0 where that has no meaning. */
  readonly processed: number;
}

const time = { quantity: "time", unit: "s" } as const;

/**
 * The benchmarks of the quick suite with the figures that a small server gives, and the same on a GPU where a host has
 * one.
 */
const benchmarks: readonly SimulatedBenchmark[] = [
  {
    category: "environment",
    benchmark: "environment_step",
    params: "env=ChemicalReactor-v0",
    runtime: "js",
    device: "cpu",
    ...time,
    median: 2.4e-6,
    processed: 1,
  },
  {
    category: "safety",
    benchmark: "safety_overhead",
    params: "loop=bare",
    runtime: "js",
    device: "cpu",
    quantity: "overhead",
    unit: "%",
    median: 7.9,
    processed: 0,
  },
  {
    category: "safety",
    benchmark: "safety_overhead",
    params: "loop=policy",
    runtime: "js",
    device: "cpu",
    quantity: "overhead",
    unit: "%",
    median: 2.5,
    processed: 0,
  },
  {
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=1",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 4e-5,
    processed: 1,
  },
  {
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=1",
    runtime: "tfjs-wasm",
    device: "cpu",
    ...time,
    median: 3.6e-5,
    processed: 1,
  },
  {
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=256",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 2.5e-3,
    processed: 256,
  },
  {
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=256",
    runtime: "tfjs-wasm",
    device: "cpu",
    ...time,
    median: 1.3e-3,
    processed: 256,
  },
  {
    category: "rl",
    benchmark: "td3_bc_update",
    params: "batch=256",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 0.036,
    processed: 256,
  },
  {
    category: "jax",
    benchmark: "jit_compile",
    params: "kernel=sin_cos_chain",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 0.013,
    processed: 0,
  },
  {
    category: "jax",
    benchmark: "jit_compile",
    params: "kernel=td3_bc_update",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 0.35,
    processed: 0,
  },
  {
    category: "jax",
    benchmark: "tensor_execution",
    params: "kernel=sum_of_squares,size=100000",
    runtime: "jax-js",
    device: "cpu",
    ...time,
    median: 1.15e-4,
    processed: 1e5,
  },
  {
    category: "memory",
    benchmark: "episode_memory",
    params: "env=ChemicalReactor-v0,steps=1000",
    runtime: "js",
    device: "cpu",
    quantity: "memory",
    unit: "MB",
    median: 3.9,
    processed: 0,
  },
];

const gpuBenchmarks: readonly SimulatedBenchmark[] = [
  {
    category: "rl",
    benchmark: "policy_forward",
    params: "batch=1",
    runtime: "webgpu",
    device: "gpu",
    ...time,
    median: 9e-5,
    processed: 1,
  },
  {
    category: "rl",
    benchmark: "td3_bc_update",
    params: "batch=256",
    runtime: "webgpu",
    device: "gpu",
    ...time,
    median: 0.006,
    processed: 256,
  },
  ...["gpu0", "gpu1"].flatMap((device): SimulatedBenchmark[] => [
    {
      category: "gpu",
      benchmark: "gpu_gemm",
      params: "dtype=bf16,n=8192",
      runtime: "torch",
      device,
      ...time,
      median: 4.4e-3,
      processed: 2 * 8192 ** 3,
    },
    {
      category: "gpu",
      benchmark: "gpu_triad",
      params: "mib=1024",
      runtime: "torch",
      device,
      ...time,
      median: 1.8e-3,
      processed: 3 * 2 ** 30,
    },
  ]),
];

function medianFor(kpi: Kpi, value: number, processed: number): number {
  return kpi.read === "throughput" ? processed / value : value / kpi.scale;
}

function buildResult(host: Host, each: SimulatedBenchmark, runId: string, endMs: number, median: number): Result {
  const { category, benchmark, params, runtime, device, quantity, unit, processed } = each;
  const spread = (factor: number): number => median * factor;
  return {
    name: formatBenchmarkName(benchmark, params, runtime, device),
    category,
    duration: 3,
    memory_peak_mb: 120 + host.chance() * 10,
    memory_current_mb: 110,
    cpu_percent: 99,
    iterations: 1000,
    throughput: processed === 0 ? 0 : processed / median,
    metadata: {},
    benchmark,
    params,
    runtime,
    device,
    suite: "quick",
    run: runId,
    host: host.name,
    hw_class: host.hardware.name,
    time_us: Math.round(endMs * 1000),
    quantity,
    unit,
    throughput_unit: "steps/s",
    process_runs: 3,
    iterations_per_sample: 1,
    steady_state: host.chance() < 0.85 ? "flat" : host.chance() < 0.8 ? "warmup" : "no_steady_state",
    conclusive: "yes",
    disturbance: "",
    n: 500,
    median,
    median_low: spread(0.97),
    median_high: spread(1.04),
    mean: spread(1.01),
    trimmed_mean: spread(1.005),
    p90: spread(1.15),
    p95: spread(1.25),
    p99: spread(1.6),
    p999: spread(2.2),
    min: spread(0.92),
    max: spread(3),
    stddev: spread(0.08),
    mad: spread(0.03),
    cv: 0.08,
    outliers_low: 0,
    outliers_high: 7,
  };
}

/** What a host measures of a benchmark at a time: its figure, or what its part makes of it. */
function chooseMedian(host: Host, each: SimulatedBenchmark, endMs: number, facts: FleetFacts): number {
  const usual = each.median * (each.quantity === "time" ? host.hardware.speed : 1) * (0.97 + host.chance() * 0.06);
  const kpi = kpis.find((kpi) => feedsKpi(kpi, each));
  if (kpi === undefined) return usual;
  const breach = kpiBreach(host.index);
  if (breach?.kpi === kpi && endMs > facts.toMs - 4 * facts.runMs) {
    return medianFor(kpi, breachingValue(kpi, breach.severity), each.processed) * (0.99 + host.chance() * 0.02);
  }
  const middle = (facts.fromMs + facts.toMs) / 2;
  if (host.index === parts.recovered && Math.abs(endMs - middle) < facts.runMs) {
    return medianFor(kpi, breachingValue(kpi, "critical"), each.processed);
  }
  if (host.index === parts.slowRuntime && each.benchmark === "policy_forward" && each.runtime === "jax-js") {
    return medianFor(kpi, breachingValue(kpi, "critical"), each.processed);
  }
  return usual;
}

export function* simulateRuns(host: Host, facts: FleetFacts): Generator<Point> {
  const list = host.hardware.gpu ? [...benchmarks, ...gpuBenchmarks] : benchmarks;
  const offset = (host.index / facts.hosts) * facts.runMs;
  for (let startMs = facts.fromMs + offset; startMs + 60_000 < facts.toMs; startMs += facts.runMs) {
    if (isSilent(host.name, startMs + 60_000, facts)) return;
    const runId = `${host.name}-${Math.round(startMs)}`;
    const kernel = host.index === parts.upgraded && startMs > (facts.fromMs + facts.toMs) / 2 ? "6.12" : "6.1";
    const run: Run = {
      run: runId,
      suite: "quick",
      host: host.name,
      hw_class: host.hardware.name,
      state: "finished",
      started_us: Math.round(startMs * 1000),
      time_us: Math.round((startMs + 45_000) * 1000),
      duration: 45,
      total: list.length,
      completed: list.length,
      failures: [],
      fingerprint: { kernel, node: "20.20.2" },
    };
    const results = list.map((each, i) => {
      const endMs = startMs + ((i + 1) * 45_000) / list.length;
      return buildResult(host, each, runId, endMs, chooseMedian(host, each, endMs, facts));
    });
    const judged = results.flatMap((result) => deriveKpis(result));
    yield* [
      ...results.map(resultRecord.toPoint),
      ...judged.map(kpiRecord.toPoint),
      runRecord.toPoint(run),
      runWindowRecord.toPoint(deriveRunWindow(run)),
    ];
  }
}

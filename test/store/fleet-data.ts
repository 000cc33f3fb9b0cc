import { type Batch, BatchBuilder } from "@fleetmark/shared/model/batch";
import type { Result, Run } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";

/** What a fleet sends: telemetry every ten seconds, and a run of sixteen benchmarks every six hours, from each host. */

export const stepUs = 10e6;
export const runEveryUs = 6 * 3.6e9;
export const benchmarksPerRun = 16;

export function nameHost(host: number): string {
  return `host${String(host).padStart(2, "0")}`;
}

/** Numbers that look measured and are the same every time. */
export function createChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** A host's telemetry of one moment: two points, six samples. */
export function makeTelemetry(host: string, timeUs: number, chance: () => number): Point[] {
  const user = Math.round(chance() * 600) / 10;
  const system = Math.round(chance() * 100) / 10;
  const wait = Math.round(chance() * 20) / 10;
  const idle = 100 - user - system - wait;
  const used = 40 + Math.round(chance() * 100) / 10;
  return [
    {
      measurement: "cpu",
      tags: { host, cpu: "cpu-total" },
      timeUs,
      fields: { usage_user: user, usage_system: system, usage_iowait: wait, usage_idle: idle },
    },
    { measurement: "mem", tags: { host }, timeUs, fields: { used_percent: used, available: Math.round((100 - used) * 2.5e8) } },
  ];
}

function makeResult(host: string, run: string, at: number, timeUs: number, chance: () => number): Result {
  const median = 1e-4 * (1 + at) * (1 + chance() / 20);
  const benchmark = at === 0 ? "policy_forward" : `workload_${at}`;
  const params = at === 0 ? "batch=1" : `size=${at}`;
  return {
    name: `${benchmark}{${params}} jax-js/cpu`,
    category: at % 2 === 0 ? "rl" : "jax",
    duration: 3,
    memory_peak_mb: 90 + chance(),
    memory_current_mb: 80,
    cpu_percent: 99,
    iterations: 1000,
    throughput: 1 / median,
    metadata: { version: "0.1.25", note: "as configured" },
    benchmark,
    params,
    runtime: "jax-js",
    device: "cpu",
    suite: "quick",
    run,
    host,
    hw_class: "amd-epyc_2c_24g",
    time_us: timeUs,
    quantity: "time",
    unit: "s",
    throughput_unit: "passes/s",
    process_runs: 3,
    iterations_per_sample: 10,
    steady_state: "flat",
    conclusive: "yes",
    disturbance: "",
    n: 100,
    median,
    median_low: median * 0.99,
    median_high: median * 1.01,
    mean: median,
    trimmed_mean: median,
    p90: median * 1.1,
    p95: median * 1.2,
    p99: median * 1.3,
    p999: median * 1.5,
    min: median * 0.9,
    max: median * 2,
    stddev: median * 0.05,
    mad: median * 0.02,
    cv: 0.05,
    outliers_low: 0,
    outliers_high: 3,
  };
}

/** The points of one run, its results and the KPIs that they give. */
export function makeRun(host: string, number: number, timeUs: number, chance: () => number): Point[] {
  const run = `${host}-run-${number}`;
  const results = Array.from({ length: benchmarksPerRun }, (_, at) =>
    makeResult(host, run, at, timeUs - (benchmarksPerRun - at) * 3e6, chance),
  );
  const ended: Run = {
    run,
    suite: "quick",
    host,
    hw_class: "amd-epyc_2c_24g",
    state: "finished",
    started_us: timeUs - 60e6,
    time_us: timeUs,
    duration: 60,
    total: benchmarksPerRun,
    completed: benchmarksPerRun,
    failures: [],
    fingerprint: { kernel: "6.1", node: "20.20.2" },
  };
  const kpis = results.flatMap((result) => deriveKpis(result));
  return [...results.map(resultRecord.toPoint), ...kpis.map(kpiRecord.toPoint), runRecord.toPoint(ended)];
}

/** Gathers points into batches as agents do: some minutes of one host each. */
export function buildBatches(points: ReadonlyMap<string, readonly Point[]>, epochUs: number, sequence: number): Batch[] {
  return [...points].map(([host, own]) => {
    const builder = new BatchBuilder();
    for (const point of own) builder.add(point);
    return builder.build({ host, epochUs, sequence });
  });
}

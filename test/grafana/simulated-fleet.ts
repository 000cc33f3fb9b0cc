import { type Batch, BatchBuilder } from "@fleetmark/shared/batch";
import { findKpi, type Kpi, kpiPoint, kpis } from "@fleetmark/shared/kpis";
import {
  type Category,
  formatBenchmarkName,
  type Result,
  type Run,
  resultToPoint,
  runToPoint,
  runWindowPoint,
} from "@fleetmark/shared/result";
import type { Point } from "@fleetmark/shared/series";

/**
 * A fleet that never was: the points that agents and collectors write, of hosts that behave, with breaches injected near the end. What is
 * measured and judged goes through the same functions as real results do; only telemetry is made up here, field by field.
 */

export interface FleetFacts {
  readonly hosts: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two samples of telemetry. */
  readonly tickMs: number;
  /** Between two runs of a host. */
  readonly runMs: number;
}

/** A rule that must fire, and for which labels. */
export interface Breach {
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
}

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

/** The benchmarks of the quick suite with the figures that a small server gives, and the same on a GPU where a host has one. */
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
];

const hardwareClasses = [
  { name: "amd-epyc_16c_64g", speed: 1, gpu: false },
  { name: "amd-epyc_32c_128g", speed: 0.85, gpu: false },
  { name: "intel-xeon_16c_64g", speed: 1.2, gpu: false },
  { name: "amd-epyc_32c_256g_a100", speed: 0.8, gpu: true },
] as const;

/** Numbers that look random and are the same each time: mulberry32. */
function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function nameHost(index: number): string {
  return `node-${String(index + 1).padStart(2, "0")}`;
}

export const collectorNames = ["collector-a", "collector-b", "collector-c"] as const;

/** Which host plays which part. The first twelve breach a KPI each; those from 26 on behave in every way. */
const parts = {
  silent: 12,
  clockOff: 13,
  drops: 14,
  /** Dropped samples days ago: its counter stands still, and must not alert. */
  droppedLongAgo: 15,
  refused: 16,
  spoolFilling: 17,
  spoolFull: 18,
  spoolUnreadable: 19,
  diskFilling: 20,
  diskFull: 21,
  /** Was past every alert threshold in the middle of the time, and has recovered. */
  recovered: 22,
  /** One of its runtimes is slow, the best is not: no alert. */
  slowRuntime: 23,
  /** Its agent began anew near the end, and its counters with it. */
  restarted: 24,
  /** Its kernel changed half-way. */
  upgraded: 25,
} as const;

/** The fewest hosts that hold all parts. */
export const leastHosts = 27;

/** Breaches begin so long before the end, except those that need less. */
const breachMs = 30 * 60_000;

function kpiBreach(host: number): { kpi: Kpi; severity: "warning" | "critical" } | undefined {
  const kpi = kpis[Math.floor(host / 2)];
  return host < kpis.length * 2 ? { kpi, severity: host % 2 === 0 ? "warning" : "critical" } : undefined;
}

/** A value between target and alert threshold, or past both, in the KPI's unit. */
function breachingValue(kpi: Kpi, severity: "warning" | "critical"): number {
  if (severity === "warning") return kpi.target + (kpi.alert - kpi.target) * 0.4;
  return kpi.better === "lower" ? kpi.alert * 1.5 : kpi.alert / 1.5;
}

function medianFor(kpi: Kpi, value: number, processed: number): number {
  return kpi.read === "throughput" ? processed / value : value / kpi.scale;
}

/** Every breach that is injected, by the rule that it must fire. */
export function listBreaches(): Breach[] {
  const ofKpis = Array.from({ length: kpis.length * 2 }, (_, host): Breach => {
    const { kpi, severity } = kpiBreach(host) as NonNullable<ReturnType<typeof kpiBreach>>;
    return {
      rule: `fm-${kpi.title.toLowerCase().replaceAll(" ", "-")}-${severity}`,
      labels: { host: nameHost(host), benchmark: kpi.benchmark },
    };
  });
  const on = (part: number, more: Record<string, string> = {}) => ({ host: nameHost(part), ...more });
  return [
    ...ofKpis,
    { rule: "fm-agent-down", labels: on(parts.silent) },
    { rule: "fm-clock-offset", labels: on(parts.clockOff) },
    { rule: "fm-samples-dropped", labels: on(parts.drops, { reason: "SPOOL_FULL" }) },
    { rule: "fm-samples-refused", labels: on(parts.refused, { reason: "TIME_AHEAD" }) },
    { rule: "fm-spool-filling-warning", labels: on(parts.spoolFilling) },
    { rule: "fm-spool-filling-critical", labels: on(parts.spoolFull) },
    { rule: "fm-spool-unreadable", labels: on(parts.spoolUnreadable, { reason: "CHECKSUM" }) },
    { rule: "fm-disk-full-warning", labels: on(parts.diskFilling, { path: "/data" }) },
    { rule: "fm-disk-full-critical", labels: on(parts.diskFull, { path: "/data" }) },
    { rule: "fm-quarantine-growing", labels: { host: "collector-b" } },
    { rule: "fm-store-failing", labels: { host: "collector-b" } },
    { rule: "fm-collector-down", labels: { host: "collector-c" } },
  ];
}

interface Host {
  readonly index: number;
  readonly name: string;
  readonly hardware: (typeof hardwareClasses)[number];
  readonly chance: () => number;
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
  const kpi = findKpi(each);
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

function* simulateRuns(host: Host, facts: FleetFacts): Generator<Point> {
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
    const judged = results.map(kpiPoint).filter((point): point is Point => point !== undefined);
    yield* [...results.map(resultToPoint), ...judged, runToPoint(run), runWindowPoint(run)];
  }
}

const spoolLimit = 64 * 2 ** 20;

/** What the agent says of itself. Its counters grow with the time since it began. */
function simulateAgent(host: Host, nowMs: number, facts: FleetFacts, busy: boolean): Omit<Point, "timeUs">[] {
  const ending = nowMs > facts.toMs - breachMs;
  const beganMs = host.index === parts.restarted && nowMs > facts.toMs - 20 * 60_000 ? facts.toMs - 20 * 60_000 : facts.fromMs;
  const seconds = (nowMs - beganMs) / 1000;
  const spool = host.index === parts.spoolFilling && ending ? 0.6 : host.index === parts.spoolFull && ending ? 0.9 : 0.002;
  const offset = host.index === parts.clockOff && ending ? 2500 : host.chance() * 4 - 2;
  const self: Omit<Point, "timeUs"> = {
    measurement: "agent",
    tags: {},
    fields: {
      samples_recorded: seconds * 12,
      samples_sent: seconds * 12,
      samples_resent: 0,
      samples_acked: seconds * 12,
      reconnects: Math.floor(seconds / 86_400),
      protocol_violations: 0,
      rss_bytes: 7e7 + host.chance() * 4e6,
      cpu_percent: 0.3 + host.chance() * 0.2,
      spool_batches: busy ? 3 : 1,
      spool_bytes: spoolLimit * spool * (0.98 + host.chance() * 0.04),
      spool_oldest_age_s: 1 + host.chance() + (spool > 0.1 ? 900 : 0),
      spool_limit_bytes: spoolLimit,
      clock_offset_ms: offset,
      clock_rtt_ms: 0.8 + host.chance(),
      clock_steps: 0,
    },
  };
  const count = (field: string, reason: string, value: number): Omit<Point, "timeUs"> => ({
    measurement: "agent",
    tags: { reason },
    fields: { [field]: value },
  });
  const recently = nowMs > facts.toMs - 12 * 60_000;
  return [
    self,
    { measurement: "agent", tags: { probe: "cpu" }, fields: { duration_s: 0.001, success: 1 } },
    ...(host.index === parts.drops && recently ? [count("samples_dropped", "SPOOL_FULL", 4000)] : []),
    ...(host.index === parts.droppedLongAgo ? [count("samples_dropped", "SPOOL_FULL", 900)] : []),
    ...(host.index === parts.refused && recently ? [count("samples_refused", "TIME_AHEAD", 120)] : []),
    ...(host.index === parts.spoolUnreadable && recently ? [count("batches_quarantined", "CHECKSUM", 2)] : []),
  ];
}

function simulateTelemetry(host: Host, nowMs: number, facts: FleetFacts): Omit<Point, "timeUs">[] {
  const { chance, index } = host;
  const sinceRun = (nowMs - facts.fromMs - (index / facts.hosts) * facts.runMs) % facts.runMs;
  const busy = sinceRun >= 0 && sinceRun < 45_000;
  const used = busy ? 35 + chance() * 10 : 3 + chance() * 4;
  const seconds = (nowMs - facts.fromMs) / 1000;
  const ending = nowMs > facts.toMs - breachMs;
  const data =
    index === parts.diskFilling && ending ? 90 : index === parts.diskFull && ending ? 97 : 40 + (index % 30) + seconds / 1e5;
  const total = 64 * 2 ** 30;
  const disk = (path: string, percent: number): Omit<Point, "timeUs"> => ({
    measurement: "disk",
    tags: { path, device: "nvme0n1p1", fstype: "ext4", mode: "rw" },
    fields: { total: 5e11, free: 5e11 * (1 - percent / 100), used: 5e9 * percent, used_percent: percent },
  });
  return [
    {
      measurement: "cpu",
      tags: { cpu: "cpu-total" },
      fields: {
        usage_user: used * 0.8,
        usage_system: used * 0.15,
        usage_nice: 0,
        usage_iowait: used * 0.03,
        usage_irq: 0,
        usage_softirq: used * 0.01,
        usage_steal: used * 0.01,
        usage_idle: 100 - used,
      },
    },
    {
      measurement: "mem",
      tags: {},
      fields: {
        total,
        available: total * 0.7,
        used: total * 0.25,
        used_percent: 22 + (busy ? 6 : 0) + chance(),
        swap_total: 2 ** 32,
        swap_free: 2 ** 32 - chance() * 1e6,
      },
    },
    disk("/", 30 + (index % 20)),
    disk("/data", data),
    {
      measurement: "diskio",
      tags: { name: "nvme0n1" },
      fields: { read_bytes: seconds * 2e5, write_bytes: seconds * 6e5, io_time: seconds * 12 },
    },
    {
      measurement: "net",
      tags: { interface: "eth0" },
      fields: {
        bytes_recv: seconds * 4e4,
        bytes_sent: seconds * 9e4,
        err_in: 0,
        err_out: 0,
        drop_in: Math.floor(seconds / 3600),
        drop_out: 0,
      },
    },
    {
      measurement: "system",
      tags: {},
      fields: {
        load1: busy ? 1.5 + chance() : 0.1 + chance() * 0.2,
        load5: 0.4,
        load15: 0.3,
        n_cpus: 16,
        uptime: 864_000 + seconds,
      },
    },
    ...["cpu", "memory", "io"].map((resource) => ({
      measurement: "pressure",
      tags: { resource, type: "some" },
      fields: { avg10: busy ? chance() * 3 : 0, avg60: 0, avg300: 0, total: 0 },
    })),
    ...simulateAgent(host, nowMs, facts, busy),
  ];
}

function simulateCollector(name: string, nowMs: number, facts: FleetFacts, chance: () => number): Omit<Point, "timeUs">[] {
  const seconds = (nowMs - facts.fromMs) / 1000;
  const troubled = name === "collector-b";
  const sinceTrouble = Math.max(0, nowMs - (facts.toMs - 15 * 60_000)) / 1000;
  const share = facts.hosts / collectorNames.length;
  const fields = {
    samples_committed: seconds * 12 * share,
    batches_committed: seconds * share,
    batches_repeated: Math.floor(seconds / 7200),
    queue_batches: 1 + Math.floor(chance() * 3),
    queue_bytes: 4000 + chance() * 8000,
    agents_attached: Math.round(share),
    store_failures: troubled ? Math.floor(sinceTrouble / 30) : 0,
    commit_p50_ms: 8 + chance() * 4,
    commit_p99_ms: 25 + chance() * 40,
    end_to_end_p50_s: 0.9 + chance() * 0.3,
    end_to_end_p99_s: 1.8 + chance(),
    quarantine_bytes: 2048 + (troubled ? Math.floor(sinceTrouble) * 100 : 0),
    rss_bytes: 1.6e8 + chance() * 2e7,
    cpu_percent: 6 + chance() * 3,
    nats_pending: Math.floor(chance() * 20),
    nats_ack_pending: Math.floor(chance() * 50),
    nats_redelivered: Math.floor(seconds / 43_200),
  };
  return [
    { measurement: "collector", tags: {}, fields },
    { measurement: "collector", tags: { reason: "TIME_AHEAD" }, fields: { samples_refused: 0, batches_rejected: 0 } },
  ];
}

/** Whether a source still speaks at a time: one agent and one collector fall silent before the end. */
function isSilent(name: string, nowMs: number, facts: FleetFacts): boolean {
  const fallsSilent = name === nameHost(parts.silent) || name === "collector-c";
  return fallsSilent && nowMs > facts.toMs - breachMs;
}

/** Gathers points into batches of a size that the store takes in one go. */
function* batchPoints(host: string, epochUs: number, points: Iterable<Point>): Generator<Batch> {
  const samplesPerBatch = 20_000;
  let sequence = 0;
  let builder = new BatchBuilder();
  for (const point of points) {
    builder.add({ ...point, tags: { ...point.tags, host } });
    if (builder.samples >= samplesPerBatch) {
      yield builder.build({ host, epochUs, sequence: ++sequence });
      builder = new BatchBuilder();
    }
  }
  if (builder.samples > 0) yield builder.build({ host, epochUs, sequence: ++sequence });
}

function* tick(name: string, facts: FleetFacts, sample: (nowMs: number) => Omit<Point, "timeUs">[]): Generator<Point> {
  for (let nowMs = facts.fromMs; nowMs <= facts.toMs; nowMs += facts.tickMs) {
    if (isSilent(name, nowMs, facts)) return;
    for (const point of sample(nowMs)) yield { ...point, timeUs: nowMs * 1000 };
  }
}

/** All that the fleet has written, source by source. */
export function* simulateFleet(facts: FleetFacts): Generator<Batch> {
  const epochUs = facts.fromMs * 1000;
  for (let index = 0; index < facts.hosts; index++) {
    const hardware = hardwareClasses[index % hardwareClasses.length];
    const host: Host = { index, name: nameHost(index), hardware, chance: createChance(index + 1) };
    yield* batchPoints(
      host.name,
      epochUs,
      tick(host.name, facts, (nowMs) => simulateTelemetry(host, nowMs, facts)),
    );
    yield* batchPoints(host.name, epochUs + 1, simulateRuns(host, facts));
  }
  for (const [i, name] of collectorNames.entries()) {
    const chance = createChance(1000 + i);
    yield* batchPoints(
      name,
      epochUs,
      tick(name, facts, (nowMs) => simulateCollector(name, nowMs, facts, chance)),
    );
  }
}

import type { Result, Run } from "../src/model/result.js";
import type { AlertRecord, NotificationRecord, SilenceRecord } from "../src/records/alert.js";
import type { AuditRecord } from "../src/records/audit.js";
import type { BaselineRecord } from "../src/records/baseline.js";
import type { CampaignRecord } from "../src/records/campaign.js";
import type { CommandRecord } from "../src/records/command.js";
import type { SkippedRun } from "../src/records/skipped-run.js";
import type { VerdictRecord } from "../src/records/verdict.js";
import type { VerdictMark } from "../src/records/verdict-mark.js";

/** Records that are whole, for tests of what becomes of them. */

const result: Result = {
  name: "policy_forward{batch=1} jax-js/cpu",
  category: "rl",
  duration: 2,
  memory_peak_mb: 90,
  memory_current_mb: 80,
  cpu_percent: 99,
  iterations: 1000,
  throughput: 20_000,
  metadata: { hidden: 256, compiled: true, note: null, activation: "tanh" },
  benchmark: "policy_forward",
  params: "batch=1",
  runtime: "jax-js",
  device: "cpu",
  suite: "quick",
  run: "r1",
  host: "h1",
  hw_class: "c1",
  time_us: 1_700_000_000_000_000,
  quantity: "time",
  unit: "s",
  throughput_unit: "passes/s",
  process_runs: 2,
  iterations_per_sample: 10,
  steady_state: "flat",
  conclusive: "yes",
  disturbance: "",
  n: 100,
  median: 5e-5,
  median_low: 4.9e-5,
  median_high: 5.2e-5,
  mean: 5.1e-5,
  trimmed_mean: 5e-5,
  p90: 6e-5,
  p95: 6.5e-5,
  p99: 7e-5,
  p999: 9e-5,
  min: 4e-5,
  max: 1e-4,
  stddev: 1e-6,
  mad: 5e-7,
  cv: 0.02,
  outliers_low: 0,
  outliers_high: 3,
};

export function makeResult(changes: Partial<Result> = {}): Result {
  return { ...result, ...changes };
}

const run: Run = {
  run: "r1",
  suite: "quick",
  host: "h1",
  hw_class: "c1",
  state: "finished",
  started_us: 1_000_000,
  time_us: 3_000_000,
  duration: 2,
  total: 2,
  completed: 1,
  failures: [{ name: "b", error: "it broke" }],
  fingerprint: { kernel: "6.1", node: "20" },
};

export function makeRun(changes: Partial<Run> = {}): Run {
  return { ...run, ...changes };
}

const skipped: SkippedRun = {
  host: "h1",
  hw_class: "c1",
  suite: "quick",
  time_us: 4_000_000,
  outcome: "refused",
  run: "r1",
  trigger: "schedule",
  reason: "other processes take 3.2 cores (at most 0.5)",
  due_us: 1_000_000,
  count: 1,
};

export function makeSkipped(changes: Partial<SkippedRun> = {}): SkippedRun {
  return { ...skipped, ...changes };
}

export function makeCommandRecord(changes: Partial<CommandRecord> = {}): CommandRecord {
  return { host: "h1", command: "start_run", time_us: 4_000_000, id: "c1", state: "asked", ...changes };
}

export function makeCampaignRecord(changes: Partial<CampaignRecord> = {}): CampaignRecord {
  const order = { suite: "quick", hosts: ["gpu-*"], hw_class: "*", stagger_s: 0, ttl_s: 120, patience_s: 3600, at_once: false };
  const state = { id: "c1", state: "running", asked_us: 4_000_000, by: "owner", total: 2, counts: { asked: 2 } } as const;
  return { ...order, ...state, time_us: 4_000_000, ...changes };
}

export function makeAuditRecord(changes: Partial<AuditRecord> = {}): AuditRecord {
  const what = { collector: "c", action: "postCampaigns", by: "alice", outcome: "done", status: 200, detail: "{}" } as const;
  return { ...what, time_us: 4_000_000, ...changes };
}

const { host, hw_class, suite, category, benchmark, runtime, device, params, name } = result;
const identity = { host, category, benchmark, runtime, device, params, name };

export function makeVerdict(changes: Partial<VerdictRecord> = {}): VerdictRecord {
  const found = { verdict: "regressed", severity: "medium", baseline: "rolling", baseline_results: 20 } as const;
  const figures = { before: 5e-5, after: 6e-5, change: 20, low: 12, high: 28, unit: "s", since_us: 3_000_000 } as const;
  const why = { cause: "environment", why: "changed since: kernel 6.1 -> 6.2" } as const;
  return { ...identity, hw_class, suite, time_us: 4_000_000, run: "r1", ...found, ...figures, ...why, ...changes };
}

export function makeAlert(changes: Partial<AlertRecord> = {}): AlertRecord {
  const told = { state: "firing", severity: "critical", value: 6, threshold: 5, runbook: "agent-down" } as const;
  const words = { summary: "No word from h1", description: "Its agent has sent nothing for three minutes." };
  const times = { time_us: 4_000_000, since_us: 3_000_000, begins_us: [4_000_000] };
  return { id: "a1", alert: "Agent down", host: "h1", labels: { host: "h1" }, ...told, ...words, ...times, ...changes };
}

export function makeSilence(changes: Partial<SilenceRecord> = {}): SilenceRecord {
  const when = { time_us: 4_000_000, from_us: 4_000_000, until_us: 9_000_000 };
  return { id: "s1", matchers: { host: "gpu-*" }, by: "alice", reason: "maintenance", ...when, ...changes };
}

export function makeNotification(changes: Partial<NotificationRecord> = {}): NotificationRecord {
  const told = { title: "[FIRING] critical Agent down on h1", firing: ["a1"], resolved: [] };
  return { sink: "log", group: "Agent down", time_us: 4_000_000, by: "c", ...told, ...changes };
}

export function makeVerdictMark(changes: Partial<VerdictMark> = {}): VerdictMark {
  const said = { mark: "false", run: "r1", verdict_us: 2_000_000, by: "alice", reason: "a backup ran" } as const;
  return { ...identity, time_us: 5_000_000, ...said, ...changes };
}

export function makeBaseline(changes: Partial<BaselineRecord> = {}): BaselineRecord {
  const decision = { action: "pin", by: "alice", reason: "as delivered", accepted_us: 0 } as const;
  const pinned = { pinned_result: result, pinned_environment: { kernel: "6.1" } };
  return { ...identity, time_us: 4_000_000, ...decision, ...pinned, ...changes };
}

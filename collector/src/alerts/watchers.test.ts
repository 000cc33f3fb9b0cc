import { alertCatalogue } from "@fleetmark/shared/alerting/catalogue";
import { buildKpiCatalogue } from "@fleetmark/shared/model/kpi-rules";
import { kpis } from "@fleetmark/shared/model/kpis";
import type { Result } from "@fleetmark/shared/model/result";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import { describe, expect, it } from "vitest";
import { makeResult } from "../../test/support.js";
import type { HistoryQuery, StoreReader } from "../store/store.js";
import { createCollectorWatcher } from "./collector-watcher.js";
import type { Confirmations } from "./confirmations.js";
import { createKpiWatcher } from "./kpi-watcher.js";
import { createSilenceWatcher } from "./silence-watcher.js";
import { createTelemetryWatcher } from "./telemetry-watcher.js";
import { createVerdictWatcher } from "./verdict-watcher.js";

const nowUs = 1_700_000_000e6;
const hourUs = 3600e6;
const empty = { readLatest: async () => [], readNewest: async () => [] } as unknown as StoreReader;

const policy = (median: number, changes: Partial<Result> = {}): Result =>
  makeResult({ median, median_low: median, median_high: median, time_us: nowUs, host: "h1", ...changes });

describe("the watcher of KPIs", () => {
  const look = async (results: readonly Result[], catalogue = kpis, atUs = nowUs) => {
    const watcher = createKpiWatcher(empty, catalogue);
    watcher.hear(results.flatMap((result) => deriveKpis(result, catalogue).map((record) => ({ kind: kpiRecord, record }))));
    const { breaches, isUnknown } = await watcher.look(atUs);
    return { names: breaches.map(({ name }) => name), breaches, isUnknown, watcher };
  };
  const past = "Policy forward pass past its alert threshold";
  const missed = "Policy forward pass past its target";

  it("finds what is past its target, and what is past its alert threshold past both", async () => {
    expect((await look([policy(5e-5)])).names).toEqual([]);
    expect((await look([policy(5e-4)])).names).toEqual([missed]);
    expect((await look([policy(5e-3)])).names).toEqual([missed, past]);
  });

  it("goes by the reading that speaks for the host, and by its latest", async () => {
    const slower = policy(5e-3, { runtime: "tfjs-wasm", name: "slower" });
    expect((await look([slower, policy(5e-5)])).names).toEqual([]);
    expect((await look([policy(5e-3, { time_us: nowUs - hourUs }), policy(5e-5)])).names).toEqual([]);
    expect((await look([policy(5e-5), policy(5e-3, { time_us: nowUs - hourUs })])).names).toEqual([]);
  });

  it("can't tell of what lies on both sides of a line, and is silent about what is stale", async () => {
    const wide = await look([policy(9e-4, { median_low: 5e-4, median_high: 2e-3 })]);
    expect(wide.names).toEqual([]);
    const labels = { host: "h1", kpi: "policy_inference_time_ms" };
    expect([wide.isUnknown({ name: past, labels }), wide.isUnknown({ name: past, labels: { ...labels, host: "h2" } })]).toEqual([
      true,
      false,
    ]);
    expect((await look([policy(5e-3)], kpis, nowUs + 27 * hourUs)).names).toEqual([]);
  });

  it("takes how long and how bad from rules", async () => {
    const own = { id: "tail", benchmark: "policy_forward", field: "p99", unit: "ns", target: 0.1, alert: 0.2 } as const;
    const { catalogue } = buildKpiCatalogue([
      { id: "policy_inference_time_ms", title: "Policy", for: 7, severity: "warning" },
      own,
    ]);
    const { breaches: all, watcher } = await look([policy(5e-3)], catalogue);
    const [breaches, ofOwn] = [all.slice(0, 2), all.slice(2)];
    expect(ofOwn.map(({ name, severity, runbook }) => [name, severity, runbook])).toEqual([
      ["tail past its target", "warning", ""],
      ["tail past its alert threshold", "critical", ""],
    ]);
    expect(breaches[1]?.runbook).toBe("policy-forward-pass");
    expect(breaches).toMatchObject([
      { forS: 7, severity: "warning" },
      { forS: 7, severity: "warning", value: 5, threshold: 1 },
    ]);
    expect(breaches[1]?.description).toMatch(/^Policy on h1 is 5\.00 ms, over 1\.00 ms, by policy_forward\{/);
    expect([watcher.tellsOf("Policy past its target"), watcher.tellsOf("Agent down")]).toEqual([true, false]);
  });
});

const unasked: Confirmations = { find: () => "", forget: () => {}, ask: () => {} };

describe("the watcher of verdicts", () => {
  const verdict = {
    ...{ host: "h1", hw_class: "c1", suite: "quick", category: "rl", benchmark: "b", runtime: "js", device: "cpu", params: "" },
    ...{ time_us: nowUs, run: "r1", name: "b js/cpu", verdict: "regressed", severity: "medium", baseline: "rolling" },
    ...{ baseline_results: 20, before: 1e-3, after: 1.15e-3, change: 15, low: 9, high: 21, unit: "s", since_us: nowUs - hourUs },
    ...{ cause: "unknown", why: "nothing that was recorded explains it", lasted: 2, caution: 1 },
  } as const;
  const mark = { ...verdict, time_us: nowUs + 1, mark: "false", verdict_us: nowUs, by: "a", reason: "r" } as const;

  it("tells of what became slower until a later result is as before, and names why", async () => {
    const watcher = createVerdictWatcher(empty, unasked);
    watcher.hear([{ kind: verdictRecord, record: verdict }]);
    const [breach, ...others] = (await watcher.look(nowUs)).breaches;
    expect(others).toEqual([]);
    expect(breach).toMatchObject({ name: "Slower than before", severity: "warning", sinceUs: nowUs - hourUs, value: 15 });
    expect(breach?.description).toMatch(
      /^b js\/cpu on h1 went from 1\.00 ms to 1\.15 ms, \+15\.0 % \(\+9\.0 to \+21\.0\), 2 results in a row\. Nothing that/,
    );
    watcher.hear([{ kind: verdictRecord, record: { ...verdict, time_us: nowUs + 1, verdict: "inconclusive" } }]);
    const undecided = await watcher.look(nowUs);
    expect([undecided.breaches, undecided.isUnknown({ name: "Slower than before", labels: breach?.labels ?? {} })]).toEqual([
      [],
      true,
    ]);
    watcher.hear([{ kind: verdictRecord, record: { ...verdict, time_us: nowUs + 2, verdict: "unchanged" } }]);
    const over = await watcher.look(nowUs);
    expect([over.breaches, over.isUnknown({ name: "Slower than before", labels: breach?.labels ?? {} })]).toEqual([[], false]);
  });

  it("calls what is severe critical, beside the milder one", async () => {
    const watcher = createVerdictWatcher(empty, unasked);
    watcher.hear([{ kind: verdictRecord, record: { ...verdict, severity: "high" } }]);
    expect((await watcher.look(nowUs)).breaches.map(({ severity }) => severity)).toEqual(["warning", "critical"]);
  });

  it("is silent about what somebody called false, and about what is old", async () => {
    const watcher = createVerdictWatcher(empty, unasked);
    watcher.hear([
      { kind: verdictRecord, record: verdict },
      { kind: verdictMarkRecord, record: mark },
    ]);
    expect((await watcher.look(nowUs)).breaches).toEqual([]);
    const old = createVerdictWatcher(empty, unasked);
    old.hear([{ kind: verdictRecord, record: verdict }]);
    expect((await old.look(nowUs + 16 * 24 * hourUs)).breaches).toEqual([]);
  });
});

describe("the watcher of silence", () => {
  const setUp = (heard: Readonly<Record<string, number>>, isShared = false, others: Readonly<Record<string, number>> = {}) => {
    const fleet = { names: () => Object.keys(heard), get: (host: string) => ({ lastSeenUs: heard[host] ?? 0 }) };
    const store = { readReceived: async () => new Map(Object.entries(others)) };
    return createSilenceWatcher({ fleet: fleet as never, store, isShared, startedUs: 0 });
  };
  const ago = (seconds: number): number => nowUs - seconds * 1e6;
  const names = async (watcher: ReturnType<typeof setUp>) =>
    (await watcher.look(nowUs)).breaches.map(({ name, labels }) => `${name} ${labels.host ?? ""}`.trim());

  it("finds agents that are not heard of, within a day", async () => {
    expect(await names(setUp({ a: ago(10), b: ago(181), c: ago(90_000), d: ago(60) }))).toEqual(["Agent down b"]);
    expect(await names(setUp({ a: ago(10), b: ago(10) }, false, { c: ago(300) }))).toEqual(["Agent down c"]);
  });

  it("tells of a fleet that is silent as a whole, and of two hosts by themselves", async () => {
    expect(await names(setUp({ a: ago(10), b: ago(100), c: ago(100) }))).toEqual(["Fleet silent"]);
    expect(await names(setUp({ a: ago(200), b: ago(200) }))).toEqual(["Agent down a", "Agent down b"]);
  });

  it("asks the store where others may have heard of a host", async () => {
    expect(await names(setUp({ a: ago(10), b: ago(200) }, true, { b: ago(5) }))).toEqual([]);
  });

  it("gives agents time to come back to a collector that has just begun", async () => {
    const store = {
      readReceived: async () =>
        new Map([
          ["a", ago(500)],
          ["b", ago(500)],
        ]),
    };
    const fleet = { names: () => ["b"], get: () => ({ lastSeenUs: nowUs }) };
    const watcher = createSilenceWatcher({ fleet: fleet as never, store, isShared: false, startedUs: ago(20) });
    const { breaches, isUnknown } = await watcher.look(nowUs);
    const unknown = (host: string) => isUnknown({ name: "Agent down", labels: { host } });
    expect([breaches, unknown("a"), unknown("b")]).toEqual([[], true, false]);
    expect((await watcher.look(nowUs + 200e6)).breaches.map(({ labels }) => labels.host)).toContain("a");
  });
});

describe("the watcher of telemetry", () => {
  type Shown = Readonly<
    Record<string, readonly { readonly tags: Record<string, string>; readonly value: number; readonly min?: number }[]>
  >;
  const open = () => {
    const state: { shown: Shown; asked: number } = { shown: {}, asked: 0 };
    const history = async ({ measurement, field, aggregate, toUs }: HistoryQuery) => {
      state.asked++;
      const found = state.shown[`${measurement}.${field}`] ?? [];
      return found.map(({ tags, value, min = value }) => ({
        tags,
        points: [[toUs, aggregate === "min" ? min : value] as const],
      }));
    };
    return { state, watcher: createTelemetryWatcher({ history }) };
  };
  const h1 = { host: "h1" };

  it.each([
    ["agent.clock_offset_ms", -1500, "Clock offset"],
    ["agent.schedule_lateness", 2.5, "Schedule overdue"],
    ["agent.certificate_days", 20, "Certificate of agent ending"],
    ["collector.clock_disputed", 1, "Collector's clock disputed"],
    ["collector.retention_held", 1, "Roll-up held"],
    ["gpu_tool_state.seconds", 3, "GPU tool slow"],
  ])("finds %s of %d", async (field, value, name) => {
    const { state, watcher } = open();
    state.shown = { [field]: [{ tags: h1, value }] };
    const { breaches } = await watcher.look(nowUs);
    expect(breaches.map((each) => each.name)).toEqual([name]);
    expect(breaches[0]?.summary).toContain("h1");
    expect(breaches[0]?.description).not.toMatch(/\{|\}|undefined/);
  });

  it("finds shares, and disks by their paths", async () => {
    const { state, watcher } = open();
    state.shown = {
      "agent.spool_bytes": [{ tags: h1, value: 90 }],
      "agent.spool_limit_bytes": [{ tags: h1, value: 100 }],
      "disk.used_percent": [
        { tags: { ...h1, path: "/" }, value: 86 },
        { tags: { ...h1, path: "/data" }, value: 20 },
      ],
    };
    const { breaches } = await watcher.look(nowUs);
    expect(breaches.map(({ name, labels }) => `${name} ${labels.path ?? ""}`)).toEqual([
      "Spool filling ",
      "Spool nearly full ",
      "Disk filling /",
    ]);
    expect(breaches[2]?.summary).toBe("/ of h1 is filling");
  });

  it("finds cards by their index, and a probe that fails by its own series", async () => {
    const { state, watcher } = open();
    state.shown = {
      "nvidia_smi.lost": [
        { tags: { ...h1, index: "3", uuid: "GPU-1" }, value: 1 },
        { tags: { ...h1, index: "4" }, value: 0 },
      ],
      "agent.success": [{ tags: { ...h1, probe: "nvidia_smi" }, value: 0 }],
    };
    const { breaches } = await watcher.look(nowUs);
    expect(breaches.map(({ name, summary }) => `${name}: ${summary}`)).toEqual([
      "GPU lost: gpu3 of h1 is lost",
      "GPU tool failing: nvidia-smi fails on h1",
    ]);
  });

  it("finds what has grown, from its first event on, for as long as the rule says", async () => {
    const { state, watcher } = open();
    const dropped = (value: number, min = value) => {
      state.shown = { "agent.samples_dropped": [{ tags: { ...h1, reason: "SPOOL_FULL" }, value, min }] };
    };
    const find = async (seconds: number) => (await watcher.look(nowUs + seconds * 1e6)).breaches.map(({ value }) => value);
    dropped(7);
    expect(await find(0)).toEqual([]);
    dropped(10);
    expect(await find(60)).toEqual([3]);
    expect(await find(1800)).toEqual([3]);
    expect(await find(1920)).toEqual([]);
    dropped(2);
    expect(await find(1980)).toEqual([2]);
    const fresh = open();
    fresh.state.shown = { "agent.samples_dropped": [{ tags: { ...h1, reason: "SPOOL_FULL" }, value: 5, min: 0 }] };
    expect((await fresh.watcher.look(nowUs)).breaches).toMatchObject([{ value: 5 }]);
  });

  it("can't tell of what nobody reports, nor of growth before it has watched for long enough", async () => {
    const { watcher } = open();
    const { isUnknown } = await watcher.look(nowUs);
    expect(isUnknown({ name: alertCatalogue.disk_filling.title, labels: { host: "h1", path: "/" } })).toBe(true);
    const grown = { name: alertCatalogue.store_failing.title, labels: { host: "c" } };
    expect(isUnknown(grown)).toBe(true);
    expect((await watcher.look(nowUs + 601e6)).isUnknown(grown)).toBe(false);
  });

  it("asks once a minute, and each question once", async () => {
    const { state, watcher } = open();
    for (let second = 0; second < 60; second += 10) await watcher.look(nowUs + second * 1e6);
    expect(state.asked).toBeLessThan(32);
  });
});

describe("the watcher of collectors", () => {
  it("finds one that writes no more while another does", async () => {
    const points = (us: number) => [[us, 1] as const];
    const history = async () => [
      { tags: { host: "c1" }, points: points(nowUs - 60e6) },
      { tags: { host: "c2" }, points: points(nowUs - 400e6) },
    ];
    const { breaches } = await createCollectorWatcher({ history }).look(nowUs);
    expect(breaches).toMatchObject([
      { name: "Collector down", labels: { host: "c2" }, summary: "No word from the collector c2" },
    ]);
  });
});

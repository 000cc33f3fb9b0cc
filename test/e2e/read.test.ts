import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "@fleetmark/shared/model/result";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "#collector/store/duckdb/duckdb.js";
import { addDerived, buildBatch, makeResult, makeRun } from "../../collector/test/support.js";
import { type Ended, makeFolder, type Program, runProgram, startDaemon } from "../testbed/program.js";

const folder = makeFolder();
const hourUs = 3.6e9;
const nowUs = Date.now() * 1000;
const evil = "gpu\u001b[2J|9";

/** A steady result of a benchmark that takes `median` seconds. */
function measure(host: string, run: string, timeUs: number, median: number, more: Partial<Result> = {}): Result {
  const figures = { median, median_low: median * 0.99, median_high: median * 1.01, throughput: 1 / median };
  const rest = { disturbance: "", steady_state: "flat", conclusive: "yes", quantity: "time" } as const;
  return makeResult({ host, run, time_us: timeUs, suite: "quick", ...figures, ...rest, ...more });
}

const step = { category: "environment", benchmark: "environment_step", params: "env=E", runtime: "js" } as const;

/** Two runs of gpu-7 a day apart, one of gpu-8 which is twice as slow, and one of long ago on other hardware. */
const hosts: Readonly<Record<string, readonly Result[]>> = {
  "gpu-7": [
    measure("gpu-7", "first", nowUs - 25 * hourUs, 40e-6),
    measure("gpu-7", "second", nowUs - hourUs, 60e-6),
    measure("gpu-7", "second", nowUs - hourUs + 1, 2e-6, step),
  ],
  "gpu-8": [measure("gpu-8", "third", nowUs - hourUs, 120e-6), measure("gpu-8", "third", nowUs - hourUs, 9e-3, step)],
  [evil]: [measure(evil, "fourth", nowUs - 50 * hourUs, 30e-6, { hw_class: "c2" })],
};

async function fillStore(): Promise<void> {
  const store = await openStore(folder.path);
  const batches = Object.entries(hosts).map(([host, results]) => {
    const runs = [...new Set(results.map(({ run }) => run))].map((run) => {
      const own = results.filter((result) => result.run === run);
      const [started_us, time_us] = [own[0]?.time_us ?? 0, (own.at(-1)?.time_us ?? 0) + 10];
      return makeRun({ host, run, suite: "quick", hw_class: own[0]?.hw_class ?? "c1", started_us, time_us });
    });
    const introduction = { version: "1", hardware_class: "c1", inventory: "{}" };
    const points = [
      ...results.map(resultRecord.toPoint),
      ...runs.map(runRecord.toPoint),
      { measurement: "agent", tags: {}, timeUs: nowUs - hourUs, fields: introduction },
    ];
    return addDerived(buildBatch(1, points, host));
  });
  await store.write(batches, nowUs);
  await store.close();
}

beforeAll(fillStore);
afterAll(folder.remove);

const read = (...args: string[]): Promise<Ended> => runProgram([...args, "--data", folder.path]);

async function readJson<T>(...args: string[]): Promise<T> {
  const ended = await read(...args, "--json");
  expect(ended.stderr).toContain(`from the data in ${folder.path}`);
  return JSON.parse(ended.stdout) as T;
}

describe("what was measured, straight from its data", () => {
  it("results show the latest of each, with host and age, and the last n of each when asked", async () => {
    const table = await read("results", "--category", "rl");
    expect(table).toMatchObject({ code: 0, stderr: `from the data in ${folder.path}\n` });
    expect(table.stdout).toMatch(/^host +category +benchmark .* verdict +age\n/);
    expect(table.stdout).toMatch(/^gpu-7 +rl +policy_forward\{batch=1\} jax-js\/cpu +60\.0 µs .* flat +1 h ago$/m);
    const last = await readJson<Result[]>("results", "--last", "2", "--host", "gpu-7", "--benchmark", "policy_forward");
    expect(last.map(({ run }) => run)).toEqual(["second", "first"]);
    expect(await readJson<Result[]>("results", "--run", "first")).toMatchObject([{ run: "first", host: "gpu-7" }]);
    expect((await read("results", "--host", "gpu-9")).stdout).toBe("no results of --host gpu-9\n");
    expect(await readJson("results", "--host", "gpu-9")).toEqual([]);
  });

  it("names of other machines can't move the cursor, nor leave their cell", async () => {
    const table = await read("hosts");
    expect(table.stdout).toContain("gpu\\x1b[2J|9");
    expect(table.stdout).not.toMatch(/\p{Cc}\[/u);
    expect((await read("hosts", "--format", "md")).stdout).toContain("| gpu\\\\x1b\\[2J\\|9 |");
  });

  it("hosts are known, and whether they are attached is not", async () => {
    const table = await read("hosts");
    expect(table.stdout).toMatch(/^gpu-7 +not known +just now|^gpu-7 +not known +\d+ s ago/m);
    expect((await readJson<{ host: string }[]>("hosts")).map(({ host }) => host)).toEqual([evil, "gpu-7", "gpu-8"].sort());
  });

  it("runs come the newest first", async () => {
    const runs = await readJson<{ run: string }[]>("runs");
    expect(runs.map(({ run }) => run).sort()).toEqual(["first", "fourth", "second", "third"]);
    expect((await readJson<{ run: string }[]>("runs", "--host", "gpu-7", "--last", "1")).map(({ run }) => run)).toEqual([
      "second",
    ]);
    expect((await read("runs", "--format", "csv")).stdout).toMatch(/^run,host,hw_class,suite,started,.*\r\n/);
  });

  it("KPIs grow stale, and an alert that is not makes exit code 1", async () => {
    const all = await read("kpis");
    expect(all.code).toBe(1);
    expect(all.stdout).toMatch(/^gpu-8 +Environment step time +9\.00 ms .* ALERT +1 h ago/m);
    expect(all.stdout).toMatch(/^gpu\\x1b\[2J\|9 +Policy forward pass +0\.0300 ms .* stale +2 d ago/m);
    const [gpu8] = await readJson<{ kpis: { kpi: string; status: string; measured_status: string }[] }[]>(
      ...["kpis", "--host", "gpu-8", "--stale-after", "30m"],
    );
    expect(gpu8?.kpis[0]).toMatchObject({ status: "stale", measured_status: "alert" });
    expect((await read("kpis", "--host", "gpu-8", "--stale-after", "30m")).code).toBe(0);
  });

  it("a history says how each result moved, by workload, full name, glob and KPI", async () => {
    const table = await read("history", "policy_forward", "--host", "gpu-7");
    expect(table.stdout).toMatch(/60\.0 µs .*\+50\.0 % regressed, high\n.*40\.0 µs/);
    for (const named of [
      "policy_forward{batch=1} jax-js/cpu",
      "policy_forward{batch=1}",
      "policy_f*",
      "policy_inference_time_ms",
    ])
      expect(await readJson<unknown[]>("history", named, "--host", "gpu-7"), named).toHaveLength(2);
    expect(await readJson("history", "policy_forward", "--host", "gpu-7", "--last", "1")).toMatchObject([
      { run: "second", change: { verdict: "regressed", metric: "throughput" } },
    ]);
    const unknown = await read("history", "policy_forwrd");
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/BENCHMARK_UNKNOWN: .*did you mean policy_forward\?/);
  });
});

describe("fleetmark compare", () => {
  it.each([
    ["runs", "first", "second", 1, "regressed"],
    ["hosts", "gpu-8", "gpu-7", 0, "improved"],
    ["hardware classes", "c1", "c2", 0, "improved"],
  ])("judges %s", async (_, before, after, code, verdict) => {
    const ended = await read("compare", before, after, "--json");
    expect(ended.code, ended.stderr).toBe(code);
    const { comparisons } = JSON.parse(ended.stdout) as { comparisons: { name: string; metric: string; verdict: string }[] };
    expect(comparisons.find(({ name, metric }) => name.startsWith("policy") && metric === "throughput")).toMatchObject({
      verdict,
    });
  });

  it("judges no times of runs of different hardware", async () => {
    const ended = await read("compare", "fourth", "third");
    expect(ended.stderr).toMatch(/different hardware \(c2, then c1\): only memory is judged/);
    expect(ended.stdout).toMatch(/throughput .* inconclusive/);
  });

  it("takes files, with nothing else opened, and says what only one has", async () => {
    const results = hosts["gpu-7"] as readonly Result[];
    const write = (name: string, own: readonly Result[]): string => {
      const path = join(folder.path, name);
      const run = makeRun({ hw_class: "c1" });
      writeFileSync(path, JSON.stringify({ format: "fleetmark-results/1", fleetmark_version: "0", run, results: own }));
      return path;
    };
    const [before, after] = [write("before.json", results.slice(0, 1)), write("after.json", results.slice(1))];
    const ended = await runProgram(["compare", before, after, "--format", "csv"]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/only in .*after\.json: environment_step/);
    expect(ended.stdout).toMatch(/^benchmark,metric,before,after,change,low,high,verdict,severity\r\n/);
    const apart = await runProgram(["compare", before, write("apart.json", results.slice(2))]);
    expect(apart).toMatchObject({ code: 3, stderr: expect.stringMatching(/NOTHING_COMPARED/) });
    expect(readFileSync(before, "utf8")).toContain("fleetmark-results/1");
  });

  it("names the nearest of what it does not know", async () => {
    const ended = await read("compare", "gpu-77", "gpu-8");
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/SUBJECT_UNKNOWN: .*gpu-77; did you mean gpu-7\?/) });
  });
});

describe("a narrow terminal", () => {
  const commands = [["results"], ["hosts"], ["runs"], ["kpis"], ["history", "policy_forward"], ["compare", "gpu-7", "gpu-8"]];

  it.each([80, 40, 20])("of %i columns is never overrun", async (columns) => {
    for (const args of commands) {
      const ended = await runProgram([...args, "--data", folder.path], { environment: { COLUMNS: String(columns) } });
      for (const line of ended.stdout.split("\n")) expect(line.length, `${args.join(" ")}: ${line}`).toBeLessThanOrEqual(columns);
    }
  });
});

describe("a running collector", () => {
  let collector: Program & { facts: { http: Address } };
  beforeAll(async () => {
    const ports = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    const environment = { FLEETMARK_LOG_LEVEL: "warn" };
    collector = await startDaemon(["collector", "--data-dir", folder.path, ...ports], { environment });
  });
  afterAll(async () => {
    collector.process.kill("SIGTERM");
    await collector.ended;
  });

  it.each([
    ["results", "--last", "2"],
    ["hosts"],
    ["runs", "--suite", "quick"],
    ["kpis"],
    ["history", "policy_forward"],
    ["compare", "gpu-7", "gpu-8"],
  ])("answers `%s %s %s` as its data does", async (...args) => {
    const address = formatAddress(collector.facts.http);
    const named = await runProgram([...args, "--json", "--collector", address]);
    expect(named.stderr).toContain(`from the collector at ${address}`);
    const configured = await runProgram([...args, "--json"], { environment: { FLEETMARK_HTTP_LISTEN: address } });
    const withoutAges = (text: string): string => text.replaceAll(/"age_s": [^,\n]+/g, "");
    expect(withoutAges(configured.stdout)).toBe(withoutAges(named.stdout));
    expect(JSON.parse(named.stdout)).not.toEqual([]);
  });

  it("that was named and isn't there is an error, also beside data", async () => {
    for (const name of ["results", "hosts", "runs", "kpis"]) {
      const ended = await runProgram([name, "--collector", "127.0.0.1:9"], { cwd: folder.path });
      expect(ended).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/COLLECTOR_UNREACHABLE/) });
    }
  });
});

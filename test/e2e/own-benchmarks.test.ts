import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createReportSink, readAgentConfig } from "@fleetmark/agent";
import { Benchmarker } from "@fleetmark/bench";
import type { Address } from "@fleetmark/shared/config/config";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { formatAddress } from "@fleetmark/shared/model/units";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { askHttp } from "../testbed/answers.js";
import { makeFolder, type Program, runProgram, startDaemon, startProgram } from "../testbed/program.js";

const folder = makeFolder();
const place = (name: string): string => join(folder.path, name);
const freePorts = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];

interface Facts {
  readonly grpc: Address;
  readonly http: Address;
}

const program = `
import json, os, sys, time
job = json.loads(sys.stdin.readline())
print(json.dumps({"type": "ready", "device": "cpu", "runtime": os.path.basename(os.getcwd())}), flush=True)
for _ in range(job["fewest_samples"]):
    started = time.perf_counter()
    sum(range(job["params"]["steps"]))
    print(json.dumps({"type": "sample", "seconds": time.perf_counter() - started}), flush=True)
print('{"type": "done"}', flush=True)
sys.stdin.read()
`;

const work = `
export const step = ({ rounds }) => { let x = 1; for (let i = 0; i < rounds; i++) x = (x * 1.000001 + i) % 1000; return "done"; };
export const wait = async () => { await Promise.resolve(); };
export async function setupTask({ params }, seed) { return { iterate: () => params.size * seed, processed: { unit: "elements", perIteration: params.size } }; }
`;

const suites = `
workloads:
  - { name: stepping, module: ./work.mjs, function: step }
  - { name: waiting, module: work.mjs, function: wait }
  - { name: prepared, module: ./work.mjs }
  - { name: lacking, module: ./work.mjs, function: nothing }
  - { name: simulation, command: [python3, simulate.py] }
suites:
  - name: plant
    benchmarks:
      - { name: stepping, params: { rounds: 500 } }
      - { name: waiting }
      - { name: prepared, params: { size: 10 } }
      - { name: simulation, params: { steps: 5000 }, runtime: python }
  - name: broken
    benchmarks: [{ name: lacking }, { name: waiting }]
`;

const names = ["prepared{size=10} js/cpu", "simulation{steps=5000} python/cpu", "stepping{rounds=500} js/cpu", "waiting js/cpu"];

let collector: Program & { facts: Facts };

function startCollector(listen = freePorts): Promise<Program & { facts: Facts }> {
  return startDaemon<Facts>(["collector", "--data-dir", place("data"), ...listen]);
}

async function stop(daemon: Program): Promise<void> {
  daemon.process.kill("SIGTERM");
  await daemon.ended;
}

beforeAll(async () => {
  mkdirSync(place("own"));
  writeFileSync(place("own/suites.yaml"), suites);
  writeFileSync(place("own/work.mjs"), work);
  writeFileSync(place("own/simulate.py"), program);
  writeFileSync(place("own/agent.yaml"), "suites: [suites.yaml]\nrun:\n  on_start: plant\n");
  collector = await startCollector();
});
afterAll(async () => {
  if (collector !== undefined) await stop(collector);
  folder.remove();
});

const suiteFile = ["--suite-file", place("own/suites.yaml")];
const ask = <T>(path: string): Promise<T> => askHttp<T>(collector.facts.http, path);
const nameAll = (results: readonly Result[]): string[] => results.map(({ name }) => name).sort();

async function bench(...args: string[]) {
  return runProgram(["bench", ...suiteFile, "--suite", "plant", "--budget", "4s", ...args], { cwd: folder.path });
}

describe("a suite file", () => {
  it("is measured by bench, its paths relative to the file", async () => {
    const ended = await bench("--json", "--output-dir", place("plain"), "--label", "pr=12", "--label", "nightly");
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    const { run, results } = JSON.parse(ended.stdout) as { run: Run; results: Result[] };
    expect(nameAll(results)).toEqual(names);
    expect(run).toMatchObject({ suite: "plant", labels: { pr: "12", label: "nightly" } });
    expect(results.every(({ category, metadata }) => category === "external" && metadata.label_pr === "12")).toBe(true);
    expect(results.find(({ benchmark }) => benchmark === "simulation")?.metadata.command_runtime).toBe("own");
    expect(results.find(({ benchmark }) => benchmark === "prepared")?.throughput_unit).toBe("elements/s");
  });

  it("names what a module lacks, and goes on", async () => {
    const ended = await runProgram([
      "bench",
      ...suiteFile,
      "--suite",
      "broken",
      "--budget",
      "1s",
      "--output-dir",
      place("broken"),
    ]);
    expect(ended.code).toBe(3);
    expect(ended.stdout).toMatch(/failed lacking js\/cpu: BENCHMARK_FAILED: file:.*work\.mjs exports no function nothing/);
    expect(ended.stdout).toMatch(/external +waiting js\/cpu/);
  });

  it("asks which suite is meant, and names the key of a mistake", async () => {
    const unclear = await runProgram(["bench", ...suiteFile, "--list"]);
    expect([unclear.code, unclear.stderr]).toEqual([2, expect.stringMatching(/choose one of plant, broken with --suite/)]);
    writeFileSync(place("wrong.yaml"), "suites: [{ name: a, benchmarks: [{ name: mine }] }]\n");
    const wrong = await runProgram(["bench", "--suite-file", place("wrong.yaml"), "--list"]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/SUITE_FILE_INVALID: .*suites\[0\]\.benchmarks\[0\]\.name/),
    ]);
    const agent = await runProgram(["agent", "--suites", place("wrong.yaml"), "--spool-dir", place("wrong-spool")]);
    expect([agent.code, agent.stderr]).toEqual([2, expect.stringMatching(/SUITE_FILE_INVALID: .*wrong\.yaml: suites\[0\]/)]);
  });

  it("is run by an agent whose configuration names it, and shown like all else", async () => {
    const agent = await startDaemon([
      ...["agent", "--config", place("own/agent.yaml"), "--host", "h1", "--spool-dir", place("spool")],
      ...["--collector-address", formatAddress(collector.facts.grpc), "--telemetry-interval", "1s"],
    ]);
    await vi.waitFor(async () => expect(await ask<Run[]>("/api/v1/runs?host=h1")).toHaveLength(1), {
      timeout: 120_000,
      interval: 200,
    });
    await stop(agent);
    const shown = await runProgram(["results", "--collector", formatAddress(collector.facts.http), "--host", "h1"]);
    expect(shown.stdout).toMatch(/external +stepping\{rounds=500\} js\/cpu/);
    expect(nameAll(await ask<Result[]>("/api/v1/results?host=h1&category=external"))).toEqual(names);
  }, 150_000);
});

describe("a report", () => {
  it("goes to the collector beside the host's agent, and displaces nobody", async () => {
    const agent = await startDaemon([
      ...["agent", "--host", "h2", "--spool-dir", place("spool-h2"), "--telemetry-interval", "1s"],
      ...["--collector-address", formatAddress(collector.facts.grpc)],
    ]);
    const hosts = () => ask<{ host: string; attached: boolean; attached_since_us: number; hw_class: string }[]>("/api/v1/hosts");
    const find = async () => (await hosts()).find(({ host }) => host === "h2");
    await vi.waitFor(async () => expect(await find()).toMatchObject({ attached: true }), { timeout: 20_000 });
    const before = await find();
    writeFileSync(place("h2.yaml"), `host: h2\ncollector: { address: "${formatAddress(collector.facts.grpc)}" }\n`);
    const ended = await bench("--report", "--config", place("h2.yaml"), "--output-dir", place("h2"), "--label", "commit=x");
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/reported to the collector at 127\.0\.0\.1:\d+ as host h2/);
    expect(nameAll(await ask<Result[]>("/api/v1/results?host=h2"))).toEqual(names);
    expect(await ask<Run[]>("/api/v1/runs?host=h2")).toMatchObject([{ suite: "plant", labels: { commit: "x" } }]);
    expect(await find()).toMatchObject({
      attached: true,
      attached_since_us: before?.attached_since_us,
      hw_class: before?.hw_class,
    });
    await stop(agent);
  }, 90_000);

  it("that nobody takes waits, and is sent once by the next", async () => {
    const address = formatAddress(collector.facts.grpc);
    await stop(collector);
    const environment = { FLEETMARK_HOST: "h3" };
    const args = [
      "bench",
      ...suiteFile,
      "--suite",
      "plant",
      "--filter",
      "waiting*",
      "--budget",
      "1s",
      "--output-dir",
      place("h3"),
    ];
    const unsent = await runProgram([...args, "--report", address], { environment });
    expect(unsent.code).toBe(3);
    expect(unsent.stderr).toMatch(/not reported to .*COLLECTOR_UNREACHABLE.*\nit waits in .*h3\/unsent/);
    expect(unsent.stdout).toMatch(/external +waiting js\/cpu/);
    collector = await startCollector(["--grpc-listen", address, "--http-listen", formatAddress(collector.facts.http)]);
    for (let i = 0; i < 2; i++) {
      const sent = await runProgram(["bench", "--send-only", "--report", address, "--output-dir", place("h3")], { environment });
      expect(sent, sent.stderr).toMatchObject({ code: 0, stdout: "" });
      expect(await ask<Result[]>("/api/v1/results?host=h3")).toHaveLength(1);
      expect(await ask<Run[]>("/api/v1/runs?host=h3")).toHaveLength(1);
    }
  }, 90_000);

  it("of a bench that is killed keeps what was measured", async () => {
    const environment = { FLEETMARK_HOST: "h5" };
    const output = ["--output-dir", place("h5")];
    const killed = startProgram(
      ["bench", ...suiteFile, "--suite", "plant", "--budget", "8s", "--report", "127.0.0.1:9", ...output],
      { environment },
    );
    await killed.waitFor(/benchmark 3 of/);
    killed.process.kill("SIGKILL");
    await killed.ended;
    const address = formatAddress(collector.facts.grpc);
    const sent = await runProgram(["bench", "--send-only", "--report", address, ...output], { environment });
    expect(sent, sent.stderr).toMatchObject({ code: 0 });
    expect(await ask<Result[]>("/api/v1/results?host=h5")).toHaveLength(2);
  }, 60_000);

  it("comes from a program too", async () => {
    writeFileSync(place("h4.yaml"), `collector:\n  address: "${formatAddress(collector.facts.grpc)}"\n`);
    const benchmarker = new Benchmarker({ host: "h4", labels: { variant: "b" } });
    await benchmarker.benchmarkFunction(() => Math.sqrt(2), { name: "root", budgetS: 0.3 });
    const outcome = await benchmarker.report(createReportSink({ link: readAgentConfig(place("h4.yaml")), folder: place("h4") }));
    expect(outcome).toEqual({ unacked: 0, refused: [], trouble: undefined });
    expect(await ask<Result[]>("/api/v1/results?host=h4")).toMatchObject([{ name: "root", metadata: { label_variant: "b" } }]);
    expect(await ask<Run[]>("/api/v1/runs?host=h4")).toMatchObject([{ suite: "functions", labels: { variant: "b" } }]);
  });

  it("goes to another machine by TLS alone", async () => {
    const ended = await bench("--report", "192.0.2.1:7420", "--output-dir", place("far"));
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(/CONFIG_INVALID: --report: .*TLS alone/)]);
  });
});

import type { SteadyState } from "@fleetmark/shared/model/result";
import { describe, expect, it } from "vitest";
import { chooseRuns, type MeasureOptions, measureBenchmark } from "#bench/measure/benchmark-run.js";
import { buildResult } from "#bench/measure/build-result.js";
import { worstVerdict } from "#bench/measure/steady-state.js";
import { runSuite } from "#bench/measure/suite-run.js";
import type { Benchmark, Params } from "#bench/workloads/workload.js";

const taskModule = new URL("../../bench/test/tasks.mjs", import.meta.url).href;
const place = { suite: "test", run: "r", host: "h", hwClass: "c", timeUs: 1 };

function describeWork(workload: string, params: Params = {}): Benchmark {
  return { workload, category: "external", params, runtime: "js", device: "cpu" };
}

async function measure(workload: string, params: Params = {}, options: Partial<MeasureOptions> = {}) {
  const settings = { taskModule, seed: 1, budgetS: 2, goal: 0.02, ...options };
  return buildResult(await measureBenchmark(describeWork(workload, params), settings), place);
}

/** Pids of this process's children. */
async function listChildren(): Promise<string[]> {
  const { readFile } = await import("node:fs/promises");
  const children = await readFile(`/proc/self/task/${process.pid}/children`, "utf8").catch(() => "");
  return children.split(" ").filter(Boolean);
}

describe("work of known behaviour", () => {
  it("takes as much longer as there is more of it, in several processes", async () => {
    const short = await measure("spin", { rounds: 2000 });
    const long = await measure("spin", { rounds: 20_000 });
    expect(long.median / short.median).toBeGreaterThan(5);
    expect(long.median / short.median).toBeLessThan(20);
    for (const result of [short, long]) {
      expect(result.process_runs).toBeGreaterThanOrEqual(2);
      const { clock_resolution_ns: resolution, clock_cost_ns: cost } = result.metadata;
      expect(result.iterations_per_sample * result.median).toBeGreaterThan(1e-7 * Math.max(Number(resolution), Number(cost)));
      expect(result.throughput).toBeCloseTo(1 / result.median, 5);
      expect(result.median_low).toBeLessThanOrEqual(result.median);
      expect(result.median_high).toBeGreaterThanOrEqual(result.median);
    }
  }, 60_000);

  it("awaits what returns a promise", async () => {
    const result = await measure("awaited", { rounds: 20_000 });
    expect(result.median).toBeGreaterThan(1e-6);
    expect(result.n).toBeGreaterThan(20);
  });

  it("finds a leak, and none where there is none", async () => {
    expect((await measure("leak")).metadata.leak).toBe("yes");
    expect((await measure("spin", { rounds: 2000 })).metadata.leak).toBe("no");
  }, 60_000);

  it("counts what an iteration allocates", async () => {
    const { bytes_per_iteration: bytes } = (await measure("allocate", { bytes: 80_000 })).metadata;
    expect(Number(bytes)).toBeGreaterThan(79_000);
    expect(Number(bytes)).toBeLessThan(120_000);
  });

  it("compares two pieces of work side by side", async () => {
    const result = await measure("compare", { rounds: 20_000, more: 10_000 });
    expect(result).toMatchObject({ unit: "%", quantity: "overhead", throughput: 0 });
    expect(result.median).toBeGreaterThan(30);
    expect(result.median).toBeLessThan(70);
  });

  it("takes one sample a process of a first call and of an episode's memory", async () => {
    const first = await measure("first-call", { first: 20_000_000, steady: 1000 });
    expect(first.n).toBe(first.process_runs);
    expect(first.median).toBeGreaterThan(0.01);
    const episode = await measure("episode", { megabytes: 50 });
    expect(episode).toMatchObject({ unit: "MB", quantity: "memory" });
    expect(episode.median).toBeGreaterThan(45);
    expect(episode.median).toBeLessThan(60);
  }, 60_000);
});

it("gives V8 the benchmark's flags, and names them in the result", async () => {
  const flags = ["--no-concurrent-recompilation"];
  const settings = { taskModule, seed: 1, budgetS: 1, goal: 0.02 };
  const { metadata } = buildResult(await measureBenchmark({ ...describeWork("flags"), v8Flags: flags }, settings), place);
  expect(metadata.v8_flags).toBe(flags[0]);
  expect(metadata.arguments).toContain(flags[0]);
  expect((await measure("flags")).metadata).not.toHaveProperty("v8_flags");
});

it("says what was seen of the machine", async () => {
  const { metadata } = await measure("spin", { rounds: 2000 });
  for (const key of ["wait_percent", "steal_percent", "others_cores", "memory_stall_percent", "throttles", "windows_disturbed"]) {
    expect(metadata[key]).toBeGreaterThanOrEqual(0);
  }
  expect(metadata.pace_loss_percent).toBeGreaterThanOrEqual(0);
  expect(metadata.reference_work_us).toBeGreaterThan(5);
  expect(metadata.windows).toBeGreaterThanOrEqual(3);
});

describe("chooseRuns", () => {
  type Sketch = { verdict: SteadyState; disturbed: boolean };
  const flat: Sketch = { verdict: "flat", disturbed: false };
  const warm: Sketch = { verdict: "warmup", disturbed: false };
  const unsettled: Sketch = { verdict: "no_steady_state", disturbed: false };
  const disturbed: Sketch = { verdict: "flat", disturbed: true };

  it.each([
    ["the worst verdict of runs that all settled", [flat, warm, flat], [flat, warm, flat], "warmup"],
    ["without the few that did not settle", [flat, unsettled, warm], [flat, warm], "warmup"],
    ["all where half did not settle", [flat, unsettled, warm, unsettled], [flat, unsettled, warm, unsettled], "no_steady_state"],
    ["undisturbed ones where there are enough", [flat, disturbed, flat, flat], [flat, flat, flat], "flat"],
    ["disturbed ones too where there are not", [flat, disturbed, flat], [flat, disturbed, flat], "flat"],
    ["a single one", [unsettled], [unsettled], "no_steady_state"],
  ] as const)("takes %s", (_, made, counted, verdict) => {
    const chosen = chooseRuns(made, 3);
    expect(chosen).toEqual(counted);
    expect(worstVerdict(chosen.map((run) => run.verdict))).toBe(verdict);
  });
});

describe("work that fails", () => {
  it.each([
    ["throws", {}, /the reactor is on fire/],
    ["crash", {}, /killed by SIGABRT.*about to abort/s],
    ["hang", { timeoutS: 1.5 }, /took longer than 1.5 s/],
  ])("%s: says so and leaves no process", async (workload, options, message) => {
    await expect(measure(workload, {}, options)).rejects.toMatchObject({
      code: "BENCHMARK_FAILED",
      message: expect.stringMatching(message),
    });
    expect(await listChildren()).toEqual([]);
  });

  it("becomes an entry of the run's failures, and the others are measured", async () => {
    const suite = {
      name: "mixed",
      description: "",
      benchmarks: [describeWork("throws"), describeWork("spin", { rounds: 2000 })],
    };
    const { run, results } = await runSuite({ suite, taskModule, budgetS: 3 });
    expect(run).toMatchObject({ state: "finished", total: 2, completed: 1 });
    expect(run.failures).toEqual([{ name: "throws js/cpu", error: expect.stringContaining("on fire") }]);
    expect(results.map((result) => result.name)).toEqual(["spin{rounds=2000} js/cpu"]);
  });
});

describe("an abort", () => {
  it("ends the process under way and keeps what was measured", async () => {
    const abort = new AbortController();
    const suite = { name: "two", description: "", benchmarks: [describeWork("spin", { rounds: 2000 }), describeWork("hang")] };
    const { run, results } = await runSuite({
      suite,
      taskModule,
      budgetS: 4,
      signal: abort.signal,
      onResult: () => setTimeout(() => abort.abort(), 300),
    });
    expect(run).toMatchObject({ state: "interrupted", total: 2, completed: 1, failures: [] });
    expect(results).toHaveLength(1);
    expect(await listChildren()).toEqual([]);
  });
});

describe("quiet", () => {
  it("is asked for while timed parts run, and given back", async () => {
    const told: boolean[] = [];
    await measure("spin", { rounds: 2000 }, { onQuiet: (quiet) => told.push(quiet) });
    expect(told.length).toBeGreaterThanOrEqual(4);
    expect(told.every((quiet, i) => quiet === (i % 2 === 0))).toBe(true);
    expect(told.at(-1)).toBe(false);
  });
});

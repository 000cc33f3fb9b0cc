import { describe, expect, it } from "vitest";
import { buildResult } from "#bench/measure/benchmark-result.js";
import { type MeasureOptions, measureBenchmark } from "#bench/measure/benchmark-run.js";
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
  it("is measured in several processes, and summed up", async () => {
    const result = await measure("spin", { rounds: 2000 });
    expect(result).toMatchObject({ name: "spin{rounds=2000} js/cpu", device: "cpu", unit: "s", quantity: "time" });
    expect(result.process_runs).toBeGreaterThanOrEqual(2);
    expect(result.n).toBeGreaterThan(0);
    expect(result.min).toBeGreaterThan(0);
    expect(result.iterations).toBeGreaterThanOrEqual(result.n);
    expect(result.throughput).toBeCloseTo(1 / result.median, 5);
    expect(result.median_low).toBeLessThanOrEqual(result.median);
    expect(result.median_high).toBeGreaterThanOrEqual(result.median);
    expect(result.memory_peak_mb).toBeGreaterThanOrEqual(Number(result.metadata.memory_peak_low_mb));
    for (const key of ["clock_resolution_ns", "clock_cost_ns", "setup_s"]) expect(result.metadata[key]).toBeGreaterThan(0);
  }, 60_000);

  it("is awaited where it returns a promise", async () => {
    const result = await measure("awaited", { rounds: 20_000 });
    expect(result.min).toBeGreaterThan(0);
    expect(result.n).toBeGreaterThan(0);
  });

  it("is known to leak where it does, and not where it doesn't", async () => {
    expect((await measure("leak")).metadata.leak).toBe("yes");
    expect((await measure("spin", { rounds: 2000 })).metadata.leak).toBe("no");
  }, 60_000);

  it("has its allocations counted", async () => {
    const { bytes_per_iteration: bytes } = (await measure("allocate", { bytes: 80_000 })).metadata;
    expect(Number(bytes)).toBeGreaterThan(79_000);
    expect(Number(bytes)).toBeLessThan(120_000);
  });

  it("is compared with other work side by side", async () => {
    const result = await measure("compare", { rounds: 20_000, more: 10_000 });
    expect(result).toMatchObject({ unit: "%", quantity: "overhead", throughput: 0 });
    expect(result.iterations_per_sample % 4).toBe(0);
    expect(result.metadata.baseline_s).toBeGreaterThan(0);
    expect(result.metadata.candidate_s).toBeGreaterThan(0);
  });

  it("gives one sample a process of a first call and of an episode's memory", async () => {
    const first = await measure("first-call", { first: 20_000_000, steady: 1000 });
    expect(first).toMatchObject({ n: first.process_runs, unit: "s", quantity: "time" });
    expect(first.iterations).toBeGreaterThanOrEqual(6 * first.process_runs);
    expect(first.metadata.first_call_s).toBeGreaterThan(0);
    expect(first.metadata.steady_call_s).toBeGreaterThan(0);
    const episode = await measure("episode", { megabytes: 50 });
    expect(episode).toMatchObject({ n: episode.process_runs, unit: "MB", quantity: "memory" });
    expect(episode.median).toBeGreaterThan(45);
    expect(episode.median).toBeLessThan(60);
  }, 60_000);
});

it("names a result by the device that its work ran on, whatever was expected", async () => {
  const settings = { taskModule, seed: 1, budgetS: 1, goal: 0.02 };
  const expected = { ...describeWork("elsewhere"), runtime: "webgpu", device: "gpu" };
  const result = buildResult(await measureBenchmark(expected, settings), place);
  expect(result).toMatchObject({ name: "elsewhere webgpu/software", runtime: "webgpu", device: "software" });
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
  expect(metadata.reference_work_us).toBeGreaterThan(0);
  expect(metadata.windows).toBeGreaterThanOrEqual(3);
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
    let isFirstDone = false;
    const { run, results } = await runSuite({
      suite,
      taskModule,
      budgetS: 4,
      signal: abort.signal,
      onResult: () => {
        isFirstDone = true;
      },
      onQuiet: (quiet) => {
        if (quiet && isFirstDone) abort.abort();
      },
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

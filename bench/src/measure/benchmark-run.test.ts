import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Executor, Job, ProcessRun } from "../executors/executor.js";
import { chooseExecutor } from "../executors/registry.js";
import type { Benchmark } from "../workloads/workload.js";
import { buildResult } from "./benchmark-result.js";
import { type MeasureOptions, measureBenchmark, measureInTurns } from "./benchmark-run.js";

const benchmark: Benchmark = { workload: "w", category: "rl", params: { batch: 1 }, runtime: "webgpu", device: "gpu" };
const options: MeasureOptions = { taskModule: "", seed: 1, budgetS: 5, goal: 0.02 };
const place = { suite: "test", run: "r", host: "h", hwClass: "c", timeUs: 1 };
const calm = { wait: 0, steal: 0, others: 0, memoryStall: 0, throttles: 0, slowdown: 0, paceLoss: 0 };
const unknown = { loadBefore: undefined, loadAfter: undefined, frequencyBeforeHz: undefined, frequencyAfterHz: undefined };

/** A process run of even samples, on a device. */
function makeRun(device: string, samples: number): ProcessRun {
  const times = new Float64Array(samples).fill(1e-3).map((time, i) => time * (1 + (i % 7) / 1000));
  return {
    kind: "repeat",
    device,
    samples: times,
    course: times,
    iterationsPerSample: 1,
    iterations: samples,
    processed: { unit: "passes", perIteration: 1 },
    metadata: {},
    timedS: 1e-6,
    cpuS: 1e-6,
    setupS: 0.1,
    clock: undefined,
    peakBytes: 60e6,
    residentBytes: 50e6,
    memory: undefined,
    exposure: calm,
    conditions: unknown,
    windows: [{ disturbed: false, workS: 2e-5 }],
    pinned: false,
    checksum: 1,
  };
}

/** An executor whose runs are on the devices in turn; it keeps the jobs that it was given. */
function createFake(...devices: string[]): Executor & { readonly jobs: Job[] } {
  const jobs: Job[] = [];
  return {
    name: "fake",
    jobs,
    run: async (job) => {
      jobs.push(job);
      return makeRun(devices[Math.min(jobs.length, devices.length) - 1], Math.min(job.samples, 100));
    },
  };
}

describe("measureBenchmark", () => {
  it("makes runs until the interval is narrow, and looks for a leak in the first alone", async () => {
    const fake = createFake("gpu");
    const measurement = await measureBenchmark(benchmark, options, fake);
    expect(measurement).toMatchObject({ conclusive: true, benchmark });
    expect(fake.jobs.length).toBe(measurement.made.length);
    expect(fake.jobs.length).toBeGreaterThanOrEqual(3);
    expect(fake.jobs.map((job) => job.checkLeak)).toEqual(fake.jobs.map((_, i) => i === 0));
  });

  it("refuses runs of different devices", async () => {
    await expect(measureBenchmark(benchmark, options, createFake("gpu", "cpu"))).rejects.toMatchObject({
      code: "BENCHMARK_FAILED",
      message: expect.stringMatching(/gpu .* cpu/),
    });
  });

  it("keeps what it has when it is aborted after a run", async () => {
    const abort = new AbortController();
    const fake = createFake("gpu");
    const once: Executor = {
      ...fake,
      run: (job, limits) => {
        abort.abort();
        return fake.run(job, limits);
      },
    };
    expect((await measureBenchmark(benchmark, { ...options, signal: abort.signal }, once)).made).toHaveLength(1);
  });
});

describe("a result", () => {
  it.each(["gpu", "software", "cpu"])("is named by the device that was used: %s", async (device) => {
    const result = buildResult(await measureBenchmark(benchmark, options, createFake(device)), place);
    expect(result).toMatchObject({ name: `w{batch=1} webgpu/${device}`, device });
  });

  it("of a program that shows neither heap nor clock has no figures of them", async () => {
    const { metadata } = buildResult(await measureBenchmark(benchmark, options, createFake("gpu")), place);
    const keys = Object.keys(metadata);
    expect(keys.filter((key) => /^(gc_|heap_|leak|clock_|bytes_)/.test(key))).toEqual([]);
    expect(keys).toEqual(expect.arrayContaining(["memory_peak_low_mb", "process_runs_made", "others_cores", "setup_s"]));
  });
});

it("a benchmark with a command is run as one, any other in a forked process", () => {
  expect(chooseExecutor(benchmark).name).toBe("node-child");
  expect(chooseExecutor({ ...benchmark, command: { program: "python3", args: [] } }).name).toBe("command");
});

it("a command is measured like all else", async () => {
  const program = fileURLToPath(new URL("../../test/command-program.mjs", import.meta.url));
  const command = { program: process.execPath, args: [program] };
  const own: Benchmark = { ...benchmark, category: "external", runtime: "node", device: "cpu", command };
  const result = buildResult(await measureBenchmark(own, { ...options, budgetS: 2 }), place);
  expect(result).toMatchObject({ name: "w{batch=1} node/cpu", category: "external", throughput_unit: "steps/s" });
  expect(result.process_runs).toBeGreaterThanOrEqual(2);
  expect(result.memory_peak_mb).toBeGreaterThan(10);
  expect(result.metadata).toMatchObject({ command_runtime: "node", seed: 1 });
}, 60_000);

describe("measureInTurns", () => {
  const own: Benchmark = { ...benchmark, device: "gpu" };
  const sides = [
    { benchmark: own, taskModule: "a" },
    { benchmark: own, taskModule: "b" },
  ] as const;

  it("alternates the builds, A B B A, with samples of equally many iterations", async () => {
    const fake = createFake("gpu");
    const measured = await measureInTurns(sides, options, [fake, fake]);
    const order = fake.jobs.map(({ taskModule }) => taskModule).join("");
    expect(order.slice(0, 12)).toBe("abbaabbaabba");
    expect(fake.jobs.slice(1).map(({ iterationsPerSample }) => iterationsPerSample)).toEqual(Array(order.length - 1).fill(1));
    expect(measured.map(({ made }) => made.length)).toEqual([order.length / 2, order.length / 2]);
    expect(measured.map(({ conclusive }) => conclusive)).toEqual([true, true]);
  });

  it("goes on with the build that is not done yet", async () => {
    const calmFake = createFake("gpu");
    let made = 0;
    const restless: Executor = {
      name: "restless",
      run: async (job) => {
        const run = makeRun("gpu", Math.min(job.samples, 100));
        const factor = 1 + 0.2 * (made++ % 2);
        return { ...run, samples: run.samples.map((time) => time * factor), course: run.course.map((time) => time * factor) };
      },
    };
    const [a, b] = await measureInTurns(sides, options, [calmFake, restless]);
    expect([a.made.length, b.made.length > a.made.length]).toEqual([6, true]);
  });
});

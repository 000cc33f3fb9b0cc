import { loadConfig } from "@fleetmark/shared/config/config";
import { countSamples } from "@fleetmark/shared/model/batch";
import type { Result, Run } from "@fleetmark/shared/model/result";
import { status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
// The inventory comes from a program, so the agent that runs it is the built one.
import { type Agent, startAgent } from "#agent/agent.js";
import { behave, sendWelcome, startTestCollector, type TestCollector } from "../test/collector.js";
import { makeTestFolder } from "../test/folder.js";
import { type AgentConfig, agentConfigSchema } from "./config.js";
import type { Bench } from "./runs/bench.js";

const logger = pino({ level: "silent" });

function makeResult(name: string): Result {
  const statistics = {
    n: 5,
    median: 1,
    median_low: 1,
    median_high: 1,
    mean: 1,
    trimmed_mean: 1,
    p90: 1,
    p95: 1,
    p99: 1,
    p999: 1,
  };
  const spread = { min: 1, max: 1, stddev: 0, mad: 0, cv: 0, outliers_low: 0, outliers_high: 0 };
  const memory = { memory_peak_mb: 1, memory_current_mb: 1, cpu_percent: 100, iterations: 5, throughput: 1, metadata: {} };
  const identity = {
    benchmark: name,
    params: "",
    runtime: "js",
    device: "cpu",
    suite: "quick",
    run: "r1",
    host: "h",
    hw_class: "c",
  };
  const verdict = {
    steady_state: "flat",
    conclusive: "yes",
    disturbance: "",
    process_runs: 1,
    iterations_per_sample: 1,
  } as const;
  const quantity = { quantity: "time", unit: "s", throughput_unit: "steps/s", time_us: 1_700_000_000_000_000 } as const;
  return { name, category: "rl", duration: 1, ...memory, ...identity, ...quantity, ...verdict, ...statistics, ...spread };
}

function makeRun(state: Run["state"], completed: number): Run {
  const identity = { run: "r1", suite: "quick", host: "h", hw_class: "c", fingerprint: {}, failures: [] };
  return {
    ...identity,
    state,
    started_us: 1_700_000_000_000_000,
    time_us: 1_700_000_001_000_000,
    duration: 1,
    total: 2,
    completed,
  };
}

/**
 * A bench whose suite gives one result and then waits for `proceed` or the signal: what the agent sees of a run of
 * many seconds.
 */
function makeBench(proceed: Promise<void>): Bench {
  return {
    readHostFacts: async () => ({
      cpuModel: "test",
      cores: 1,
      memoryBytes: 2 ** 30,
      gpus: [],
      gpuToolState: {},
      gpuToolReason: {},
      findings: [],
    }),
    nameHardwareClass: () => "c",
    recallHardwareClass: async () => undefined,
    readFingerprint: () => ({}),
    findSuite: (name) => (name === "quick" ? {} : undefined),
    runSuite: async ({ signal, onProgress, onResult, onQuiet }) => {
      onProgress({ run: "r1", suite: "quick", completed: 0, total: 2, benchmark: "a", elapsed_s: 0, remaining_s: 2 });
      onQuiet(true);
      const results = [makeResult("a")];
      onResult(results[0]);
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.race([proceed, aborted]);
      if (signal.aborted) return { run: makeRun("interrupted", 1), results };
      results.push(makeResult("b"));
      onResult(results[1]);
      return { run: makeRun("finished", 2), results };
    },
  };
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function startCollector(onFrame = behave): Promise<TestCollector> {
  const collector = await startTestCollector(onFrame);
  cleanups.push(() => collector.kill());
  return collector;
}

function readConfig(port: number, flags: Record<string, string> = {}): AgentConfig {
  const folder = makeTestFolder();
  cleanups.push(folder.remove);
  const given = {
    host: "h",
    "collector.address": `127.0.0.1:${port}`,
    "spool.dir": folder.path,
    "spool.flush_interval": "10ms",
    ...flags,
  };
  return loadConfig(agentConfigSchema, { environment: {}, flags: given });
}

async function start(config: AgentConfig, proceed: Promise<void>): Promise<Agent> {
  const agent = await startAgent(config, { logger, bench: makeBench(proceed) });
  cleanups.push(() => agent.stop());
  return agent;
}

function countMeasurements(collector: TestCollector): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { series } of collector.readBatches()) {
    for (const { measurement } of series) counts[measurement] = (counts[measurement] ?? 0) + 1;
  }
  return counts;
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });
const never = new Promise<void>(() => {});

test("telemetry of this host and of the agent itself reaches the collector; what is known of the host comes first", async () => {
  const collector = await startCollector();
  const agent = await start(readConfig(collector.port, { "telemetry.interval": "100ms" }), never);
  await eventually(() =>
    expect(countMeasurements(collector)).toMatchObject({ cpu: expect.any(Number), mem: expect.any(Number) }),
  );
  const [hello] = collector.frames;
  if (hello.case !== "hello") throw new Error("no Hello");
  expect(hello.value).toMatchObject({ host: "h", hardwareClass: "c" });
  expect(JSON.parse(hello.value.inventoryJson)).toMatchObject({
    facts: { cpuModel: "test" },
    os: { kernel: expect.any(String) },
  });
  const own = collector.readBatches().flatMap(({ series }) => series.filter(({ measurement }) => measurement === "agent"));
  expect(own.map(({ field }) => field)).toEqual(
    expect.arrayContaining([
      "duration_s",
      "success",
      "samples_acked",
      "rss_bytes",
      "spool_bytes",
      "spool_oldest_age_s",
      "clock_steps",
    ]),
  );
  expect(await agent.runFinished).toBeUndefined();
  expect(await agent.stop()).toEqual({ unacked: 0 });
});

test("a probe that is not named stays silent", async () => {
  const collector = await startCollector();
  const agent = await start(readConfig(collector.port, { "telemetry.probes": "mem", "telemetry.interval": "100ms" }), never);
  await eventually(() => expect(collector.readBatches().length).toBeGreaterThan(3));
  await agent.stop();
  expect(Object.keys(countMeasurements(collector)).sort()).toEqual(["agent", "mem"]);
});

test("the run on start has finished when the collector has committed its results", async () => {
  let welcome = (): void => {};
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") welcome = () => sendWelcome(call);
    else behave(call, frame);
  });
  const agent = await start(readConfig(collector.port, { "run.on_start": "quick" }), Promise.resolve());
  let finished = false;
  void agent.runFinished.then(() => {
    finished = true;
  });
  await eventually(() => expect(collector.frames.length).toBe(1));
  expect(finished).toBe(false);
  welcome();
  expect(await agent.runFinished).toMatchObject({
    run: { state: "finished" },
    results: [{ name: "a" }, { name: "b" }],
    undelivered: 0,
  });
  const measurements = collector.readBatches().map(({ series }) => series[0].measurement);
  expect(measurements.filter((name) => name === "benchmark" || name === "run")).toEqual(["benchmark", "benchmark", "run"]);
});

test("closing interrupts a run and keeps what it has measured", async () => {
  const collector = await startCollector();
  const agent = await start(readConfig(collector.port, { "run.on_start": "quick" }), never);
  await eventually(() => expect(countMeasurements(collector)).toHaveProperty("benchmark"));
  const readProgress = () => collector.frames.find((frame) => frame.case === "progress")?.value;
  await eventually(() => expect(readProgress()).toMatchObject({ run: "r1", benchmark: "a", total: 2 }));
  expect(await agent.stop()).toEqual({ unacked: 0 });
  expect(await agent.runFinished).toMatchObject({ run: { state: "interrupted", completed: 1 }, undelivered: 0 });
});

test("works without a collector, and says on closing what nobody has", async () => {
  const absent = await startCollector();
  await absent.kill();
  const agent = await start(
    readConfig(absent.port, { "run.on_start": "quick", "telemetry.interval": "100ms" }),
    Promise.resolve(),
  );
  const begin = performance.now();
  const { unacked } = await agent.stop();
  expect(performance.now() - begin).toBeLessThan(2000);
  expect(unacked).toBeGreaterThan(0);
});

test("a collector that falls silent does not hold up closing", async () => {
  const collector = await startCollector((call, frame) => {
    if (frame.case === "hello") sendWelcome(call);
  });
  const agent = await start(readConfig(collector.port, { "run.on_start": "quick" }), Promise.resolve());
  await eventually(() => expect(countMeasurements(collector)).toHaveProperty("run"));
  const begin = performance.now();
  const { unacked } = await agent.stop();
  expect(performance.now() - begin).toBeLessThan(2000);
  const sent = collector.readBatches().reduce((sum, batch) => sum + countSamples(batch), 0);
  expect(unacked).toBe(sent);
  expect((await agent.runFinished)?.undelivered).toBe(3);
});

/** The texts of a field of the measurement agent, in the order in which they came. */
function readTexts(collector: TestCollector, field: string): string[] {
  return collector.readBatches().flatMap(({ series, texts }) =>
    texts.series.flatMap((index, i) => {
      const { measurement, tags, field: name } = series[index];
      return measurement === "agent" && name === field && tags.probe === undefined ? [texts.values[i]] : [];
    }),
  );
}

test("a tool that hangs holds up neither the Hello, nor telemetry, nor the end", async () => {
  const collector = await startCollector();
  const hanging: Bench = { ...makeBench(never), readHostFacts: () => new Promise(() => {}) };
  const begin = performance.now();
  const agent = await startAgent(readConfig(collector.port, { "telemetry.interval": "100ms" }), { logger, bench: hanging });
  cleanups.push(() => agent.stop());
  await eventually(() => expect(countMeasurements(collector)).toHaveProperty("mem"));
  expect(performance.now() - begin).toBeLessThan(5000);
  const [hello] = collector.frames;
  if (hello.case !== "hello") throw new Error("no Hello");
  expect(hello.value.hardwareClass).toBe("unknown");
  expect(JSON.parse(hello.value.inventoryJson)).toMatchObject({ os: { kernel: expect.any(String) } });
  // The inventory comes all the same, with the Hello or after it.
  await eventually(() => {
    const told = readTexts(collector, "inventory").at(-1) ?? hello.value.inventoryJson;
    expect(JSON.parse(told)).toHaveProperty("memory_bytes");
  });
  const stopping = performance.now();
  await agent.stop();
  expect(performance.now() - stopping).toBeLessThan(2000);
});

test("what is found out after the Hello is told by a point, and by the next Hello", async () => {
  const collector = await startCollector();
  let answer = (_: Awaited<ReturnType<Bench["readHostFacts"]>>): void => {};
  const slow: Bench = {
    ...makeBench(never),
    readHostFacts: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  };
  const agent = await startAgent(readConfig(collector.port), { logger, bench: slow });
  cleanups.push(() => agent.stop());
  await eventually(() => expect(collector.frames[0]?.case).toBe("hello"));
  answer({ ...(await makeBench(never).readHostFacts({ stateFolder: "" })), cpuModel: "late" });
  await eventually(() => expect(readTexts(collector, "hardware_class").at(-1)).toBe("c"));
  await eventually(() => {
    expect(JSON.parse(readTexts(collector, "inventory").at(-1) ?? "{}")).toMatchObject({
      facts: { cpuModel: "late" },
      memory_bytes: expect.any(Number),
    });
  });
  expect(readTexts(collector, "version").at(-1)).not.toBe("");
  collector.calls[0].emit("error", { code: status.UNAVAILABLE, details: "broken" });
  const hellos = () => collector.frames.flatMap((frame) => (frame.case === "hello" ? [frame.value] : []));
  await eventually(() => expect(hellos().length).toBe(2));
  expect(hellos()[1].hardwareClass).toBe("c");
  expect(JSON.parse(hellos()[1].inventoryJson)).toMatchObject({ facts: { cpuModel: "late" }, memory_bytes: expect.any(Number) });
});

test("an unknown suite is told before anything starts", async () => {
  const config = readConfig(1, { "run.on_start": "quikc" });
  await expect(startAgent(config, { logger, bench: makeBench(never) })).rejects.toMatchObject({ code: "BENCHMARK_UNKNOWN" });
});

test("a suite that cannot be run is told to who waits for it, and the agent goes on", async () => {
  const collector = await startCollector();
  const broken: Bench = { ...makeBench(never), runSuite: () => Promise.reject(new Error("no processes left")) };
  const agent = await startAgent(readConfig(collector.port, { "run.on_start": "quick" }), { logger, bench: broken });
  cleanups.push(() => agent.stop());
  await expect(agent.runFinished).rejects.toThrow("no processes left");
  expect(await agent.stop()).toEqual({ unacked: 0 });
});

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runCommand } from "#bench/executors/command.js";
import { commandExecutor } from "#bench/executors/command-executor.js";
import type { ExecutorOptions, Job } from "#bench/executors/executor.js";
import type { Command } from "#bench/workloads/workload.js";

const nodeProgram = fileURLToPath(new URL("../../bench/test/command-program.mjs", import.meta.url));
const pythonProgram = fileURLToPath(new URL("../../bench/test/command-program.py", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

const inNode = (behaviour: string): Command => ({ program: process.execPath, args: [nodeProgram, behaviour] });

function createJob(command: Command): Job {
  return {
    benchmark: { workload: "mine", category: "external", params: { rounds: 2000 }, runtime: "node", device: "cpu", command },
    taskModule: "",
    seed: 3,
    samples: 50,
    fewestSamples: 20,
    limitS: 0.3,
    core: undefined,
    checkLeak: false,
  };
}

const run = (command: Command, options: Partial<ExecutorOptions> = {}) =>
  commandExecutor.run(createJob(command), { timeoutS: 30, ...options });

/** Whether a process is there and no zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("a command on a card", () => {
  const onCard = (behaviour: string, device: string): Job => {
    const job = createJob(inNode(behaviour));
    return { ...job, benchmark: { ...job.benchmark, device, card: { index: 3, uuid: "GPU-3", name: "NVIDIA H100 80GB HBM3" } } };
  };

  it("tells of the card, which no host without the tool tells more of", async () => {
    const given = await commandExecutor.run(onCard("gpu", "gpu"), { timeoutS: 30 });
    expect(given).toMatchObject({
      device: "gpu",
      cardDisturbance: "",
      metadata: { card_index: 3, card_uuid: "GPU-3", card_looks: 0 },
    });
  });

  it("that fell back to the CPU is one of the CPU", async () => {
    const given = await commandExecutor.run(onCard("measure", "gpu3"), { timeoutS: 30 });
    expect(given.device).toBe("cpu");
    expect(given.metadata).not.toHaveProperty("card_uuid");
  });

  it("that ran on another is refused", async () => {
    const running = commandExecutor.run(onCard("gpu", "gpu3"), { timeoutS: 30 });
    await expect(running).rejects.toMatchObject({
      code: "BENCHMARK_FAILED",
      message: "it was put on gpu3 and says that it ran on gpu",
    });
  });
});

describe("a command", () => {
  it("is asked for samples, and watched meanwhile", async () => {
    const told: boolean[] = [];
    const given = await run(inNode("measure"), { onQuiet: (quiet) => told.push(quiet) });
    expect(given).toMatchObject({ kind: "repeat", device: "cpu", iterationsPerSample: 20, pinned: false });
    expect(given.samples.length).toBeGreaterThanOrEqual(20);
    expect(given.samples.length).toBeLessThanOrEqual(50);
    expect(given.iterations).toBe(20 * given.samples.length);
    expect(given.processed).toEqual({ unit: "steps", perIteration: 2 });
    expect(given.metadata).toEqual({ seed: 3, command_runtime: "node", command_version: process.versions.node });
    expect(given.peakBytes).toBeGreaterThanOrEqual(given.residentBytes);
    expect(given.residentBytes).toBeGreaterThan(10e6);
    expect(given.windows.length).toBeGreaterThan(0);
    expect(given.windows.every(({ workS }) => workS > 0)).toBe(true);
    expect(given.timedS).toBeGreaterThan(0);
    expect(given.cpuS).toBeGreaterThanOrEqual(0);
    expect(given.setupS).toBeGreaterThan(0);
    expect(told).toEqual([true, false]);
  });

  it("is not listened to any more when it is done", async () => {
    expect((await run(inNode("babbles"))).samples.length).toBeGreaterThanOrEqual(20);
  });

  it("says itself on which device it runs", async () => {
    expect((await run(inNode("gpu"))).device).toBe("gpu");
  });

  it("is watched by the system's own tool where there is no /proc", async () => {
    const asked: number[] = [];
    const ask = async (pid: number) => {
      asked.push(pid);
      return { residentBytes: 40e6 / asked.length, cpuS: asked.length };
    };
    const given = await runCommand(createJob(inNode("measure")), { timeoutS: 30 }, ask);
    expect(given.peakBytes).toBe(40e6);
    expect(given.residentBytes).toBeLessThan(40e6);
    expect(given.samples.length).toBeGreaterThanOrEqual(20);
    await expect(runCommand(createJob(inNode("measure")), { timeoutS: 30 }, async () => undefined)).rejects.toThrow(/seen/);
  });

  it.skipIf(!hasPython)("may be written in Python (skipped where there is no python3)", async () => {
    const given = await run({ program: "python3", args: [pythonProgram] });
    expect(given.samples.length).toBeGreaterThanOrEqual(20);
    expect(given.metadata).toMatchObject({ command_runtime: "python", command_version: expect.stringMatching(/^3\./) });
    expect(given.peakBytes).toBeGreaterThan(1e6);
  });
});

describe("a command that gives nothing", () => {
  it.each([
    ["fails", "RUNTIME_UNAVAILABLE", /there is no such runtime/],
    ["inherited", "BENCHMARK_FAILED", /a code of no catalogue/],
    ["chatters", "BENCHMARK_FAILED", /not JSON: "Loading the model, please wait"/],
    ["early", "BENCHMARK_FAILED", /a sample before ready/],
    ["floods", "BENCHMARK_FAILED", /more than 1048576 characters: "xxx/],
    ["crashes", "BENCHMARK_FAILED", /killed by SIGABRT.*about to abort/s],
    ["leaves", "BENCHMARK_FAILED", /ended with exit code 0/],
  ])("because it %s says so", async (behaviour, code, message) => {
    await expect(run(inNode(behaviour))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("because it is late is killed", async () => {
    await expect(run(inNode("hangs"), { timeoutS: 1 })).rejects.toThrow(/took longer than 1 s/);
  });

  it("because there is no such program says so", async () => {
    await expect(run({ program: "/nonexistent/program", args: [] })).rejects.toMatchObject({
      code: "BENCHMARK_FAILED",
      message: expect.stringContaining("ENOENT"),
    });
  });
});

describe("no process is left behind", () => {
  it("when it is aborted, in the middle of its work", async () => {
    const abort = new AbortController();
    const reason = new Error("not wanted any more");
    const onQuiet = (quiet: boolean): void => {
      if (quiet) abort.abort(reason);
    };
    await expect(run(inNode("hangs"), { signal: abort.signal, onQuiet })).rejects.toBe(reason);
    await expect(run(inNode("hangs"), { signal: abort.signal })).rejects.toBe(reason);
  });

  it("of those that it started itself", async () => {
    const { metadata } = await run(inNode("orphans"));
    const orphan = Number(metadata.command_version);
    expect(orphan).toBeGreaterThan(0);
    await expect.poll(() => isAlive(orphan)).toBe(false);
  });

  it("when it has told all and does not end", async () => {
    expect((await run(inNode("lingers"))).samples.length).toBeGreaterThanOrEqual(20);
  });
});

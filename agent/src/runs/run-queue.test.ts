import type { Result, Run } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { runRecord } from "@fleetmark/shared/records/run";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import pino from "pino";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeTestFolder } from "../../test/folder.js";
import type { Fate } from "../batch/encoded-batch.js";
import type { IdleWatch } from "../idle/idle-watch.js";
import type { Bench } from "./bench.js";
import { createQuietGate } from "./quiet-gate.js";
import { openRunBook } from "./run-book.js";
import { type RunQueue, startRunQueue } from "./run-queue.js";
import type { RunRequest } from "./run-request.js";

const logger = pino({ level: "silent" });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const names = ["a", "b", "c"];

/** A bench whose suite has three benchmarks; each takes until `step` is called, or the run is ended. */
function makeBench() {
  const steps: (() => void)[] = [];
  const begun: string[] = [];
  const measured: string[] = [];
  const runSuite: Bench["runSuite"] = async ({ suite, run, signal, isChosen, onProgress, onResult }) => {
    const chosen = names.filter(isChosen);
    begun.push(run);
    const results: Result[] = [];
    for (const name of chosen) {
      const [completed, total] = [results.length, chosen.length];
      onProgress({ run, suite: String(suite), completed, total, benchmark: name, elapsed_s: 0, remaining_s: 1 });
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.race([aborted, new Promise<void>((resolve) => steps.push(resolve))]);
      if (signal.aborted) {
        steps.length = 0;
        break;
      }
      const result = { name, time_us: 0, metadata: {} } as Result;
      results.push(result);
      measured.push(name);
      onResult(result);
    }
    const ended = {
      run,
      suite: String(suite),
      host: "h",
      hw_class: "c",
      started_us: 1,
      time_us: 2,
      duration: 1,
      fingerprint: {},
    };
    const state = results.length === chosen.length ? "finished" : "interrupted";
    return { run: { ...ended, state, total: chosen.length, completed: results.length, failures: [] }, results };
  };
  const step = async (): Promise<void> => {
    await vi.waitFor(() => expect(steps.length).toBeGreaterThan(0), { timeout: 10_000 });
    steps.shift()?.();
  };
  return { bench: { runSuite, readFingerprint: () => ({ kernel: "6.1" }) } as Partial<Bench> as Bench, begun, measured, step };
}

/** A host that is busy for as long as a reason is set. */
function makeHost() {
  const state: { busy: string | undefined; giveWay: ((reason: string) => void) | undefined } = {
    busy: undefined,
    giveWay: undefined,
  };
  const idle: IdleWatch = {
    findBusy: async () => state.busy,
    onBusy: (giveWay) => {
      state.giveWay = giveWay;
      return () => {
        state.giveWay = undefined;
      };
    },
  };
  return { state, idle };
}

const startUs = Date.parse("2026-11-27T08:00:00Z") * 1000;

async function setUp(folder = makeFolder()) {
  const made = makeBench();
  const host = makeHost();
  const points: Point[] = [];
  const clock = { nowMs: startUs / 1000 };
  let stamp = startUs;
  const book = await openRunBook(folder, logger);
  const queue: RunQueue = startRunQueue({
    host: "h",
    findHardwareClass: () => "c",
    findEvery: (suite) => (suite === "quick" ? 86_400 : undefined),
    ready: Promise.resolve(),
    bench: made.bench,
    book,
    idle: host.idle,
    settleS: 0,
    longestRunS: 3600,
    delivery: {
      clock: { stamp: () => ++stamp, state: { lastUs: 0, generation: 0 }, steps: 0 },
      recordResult: async (point): Promise<Fate> => {
        points.push(point);
        return "committed";
      },
      report: () => {},
      flush: async () => {},
    },
    gate: createQuietGate(),
    nowMs: () => clock.nowMs,
    onActive: () => {},
    logger,
  });
  cleanups.push(() => queue.stop());
  const find = (measurement: string): Point[] => points.filter((point) => point.measurement === measurement);
  const readRuns = (): Run[] => find("run").map((point) => runRecord.fromPoint(point));
  const readSkipped = () => find("skipped_run").map((point) => skippedRunRecord.fromPoint(point));
  return { ...made, host: host.state, book, queue, readRuns, readSkipped, clock, folder };
}

function makeFolder(): string {
  const folder = makeTestFolder();
  cleanups.push(folder.remove);
  return folder.path;
}

function ask(changes: Partial<RunRequest> = {}): RunRequest {
  const due = { due_us: startUs, expires_us: startUs + 3600e6 };
  return { run: "r1", suite: "quick", trigger: "schedule", schedule: "daily", needs_idle: true, ...due, ...changes };
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });

describe("runs that are asked for", () => {
  it("go one after the other, each with how it came to be", async () => {
    const { queue, step, readRuns, begun } = await setUp();
    const outcomes = [queue.add(ask()), queue.add(ask({ run: "r2", trigger: "command", command: "c1", benchmarks: ["b"] }))];
    for (let i = 0; i < 4; i++) await step();
    expect(await outcomes[0]).toMatchObject({ run: { state: "finished", completed: 3 }, undelivered: 0 });
    expect(await outcomes[1]).toMatchObject({ run: { run: "r2", total: 1, command: "c1" } });
    expect(begun).toEqual(["r1", "r2"]);
    expect(readRuns()[0]).toMatchObject({ run: "r1", trigger: "schedule", schedule: "daily" });
    expect(readRuns()[0]).not.toHaveProperty("command");
  });

  it("wait while the host is busy, but those that need not", async () => {
    const { queue, step, host, begun } = await setUp();
    host.busy = "a job";
    void queue.add(ask());
    await eventually(() => expect(queue.read().waitsFor).toBe("a job"));
    const atOnce = queue.add(ask({ run: "r2", needs_idle: false, trigger: "start" }));
    for (let i = 0; i < 3; i++) await step();
    await atOnce;
    expect(begun).toEqual(["r2"]);
    host.busy = undefined;
    await eventually(() => expect(begun).toEqual(["r2", "r1"]));
  });

  it("that wait too long are skipped, with the reason", async () => {
    const { queue, host, clock, readSkipped, begun, book } = await setUp();
    host.busy = "other processes take 3.2 cores";
    const outcome = queue.add(ask());
    await eventually(() => expect(queue.read().waitsFor).toBe(host.busy));
    clock.nowMs += 3600_001;
    expect(await outcome).toBeUndefined();
    expect(readSkipped()).toMatchObject([{ run: "r1", outcome: "refused", reason: host.busy, count: 1, schedule: "daily" }]);
    expect([begun, book.pages.waiting]).toEqual([[], []]);
  });

  it("are called off while they wait, and ended while they are under way", async () => {
    const { queue, step, readRuns, readSkipped, begun } = await setUp();
    const first = queue.add(ask());
    const second = queue.add(ask({ run: "r2", command: "c2", trigger: "command" }));
    await step();
    await eventually(() => expect(begun).toEqual(["r1"]));
    expect(queue.cancel(({ command }) => command === "c2", "called off by a person")).toBe(1);
    expect(await second).toBeUndefined();
    expect(readSkipped()).toMatchObject([{ run: "r2", outcome: "cancelled", command: "c2" }]);
    expect(queue.cancel(({ run }) => run === "r1", "called off by a person")).toBe(1);
    await first;
    expect(readRuns()).toMatchObject([{ run: "r1", state: "interrupted", reason: "called off by a person", completed: 1 }]);
    expect(queue.cancel(() => true, "again")).toBe(0);
  });
});

describe("a run that gives way", () => {
  it("keeps what it measured, and what is left goes on when the host is free", async () => {
    const { queue, step, host, readRuns, measured } = await setUp();
    const outcome = queue.add(ask());
    await step();
    await eventually(() => expect(measured).toEqual(["a"]));
    host.busy = "a training began";
    host.giveWay?.(host.busy);
    expect(await outcome).toMatchObject({ run: { state: "yielded", reason: "a training began", completed: 1, total: 3 } });
    await eventually(() => expect(queue.read().waiting).toMatchObject([{ continues: "r1", done: ["a"] }]));
    await eventually(() => expect(queue.read().waitsFor).toBe("a training began"));
    host.busy = undefined;
    await step();
    await eventually(() => expect(measured).toEqual(["a", "b"]));
    host.giveWay?.("and again");
    await eventually(() => expect(readRuns()).toHaveLength(2));
    await step();
    await eventually(() => expect(readRuns()).toHaveLength(3));
    expect(measured).toEqual(["a", "b", "c"]);
    expect(readRuns().slice(1)).toMatchObject([
      { state: "yielded", continues: "r1", total: 2, completed: 1 },
      { state: "finished", continues: "r1", total: 1, completed: 1 },
    ]);
    expect(new Set(readRuns().map(({ run }) => run)).size).toBe(3);
    expect(queue.read()).toMatchObject({ current: undefined, waiting: [] });
  });

  it("does so only where it waited for the host to be free", async () => {
    const { queue, host, begun } = await setUp();
    void queue.add(ask({ needs_idle: false }));
    await eventually(() => expect(begun).toEqual(["r1"]));
    expect(host.giveWay).toBeUndefined();
  });
});

describe("what is kept in the book", () => {
  it("is what waits: the next process goes on with it, but for what was to run on start", async () => {
    const first = await setUp();
    first.host.busy = "a job";
    void first.queue.add(ask());
    void first.queue.add(ask({ run: "r2", trigger: "start" }));
    await first.book.keep();
    await first.queue.stop();
    const second = await setUp(first.folder);
    expect(second.queue.read().waiting).toMatchObject([{ run: "r1" }]);
    for (let i = 0; i < 3; i++) await second.step();
    await eventually(() => expect(second.readRuns()).toMatchObject([{ run: "r1", state: "finished" }]));
  });

  it("is the run under way: the next process records it as cut short, and does not begin it again", async () => {
    const first = await setUp();
    void first.queue.add(ask({ trigger: "command", command: "c1" }));
    await first.step();
    await eventually(() => expect(first.book.pages.current).toMatchObject({ completed: 1, total: 3 }));
    await first.book.keep();
    // The process is gone: nothing of it writes any more. The second reads what the disk holds.
    const second = await setUp(first.folder);
    const cut = { run: "r1", state: "interrupted", completed: 1, total: 3, command: "c1", fingerprint: { kernel: "6.1" } };
    expect(second.readRuns()).toMatchObject([{ ...cut, reason: "the agent ended in the midst of it" }]);
    expect([second.begun, second.queue.read().waiting]).toEqual([[], []]);
    await second.book.keep();
    expect((await setUp(first.folder)).readRuns()).toEqual([]);
  });

  it("is set aside where it can't be read", async () => {
    const folder = makeFolder();
    const { writeFileSync, existsSync } = await import("node:fs");
    writeFileSync(`${folder}/runs.json`, '{"handled": {"daily": "yesterday"}}');
    const { book } = await setUp(folder);
    expect(book.pages).toEqual({ handled: {}, measured: {}, waiting: [], current: null, answers: [] });
    expect(existsSync(`${folder}/runs.json.damaged`)).toBe(true);
  });
});

it("a host that can't be described is a gap with a reason, and the queue goes on", async () => {
  const { queue, bench, step, readSkipped } = await setUp();
  const { readFingerprint } = bench;
  bench.readFingerprint = () => {
    throw new Error("no such file");
  };
  expect(await queue.add(ask())).toBeUndefined();
  expect(readSkipped()).toMatchObject([{ run: "r1", outcome: "refused", reason: expect.stringContaining("no such file") }]);
  bench.readFingerprint = readFingerprint;
  const next = queue.add(ask({ run: "r2" }));
  for (let i = 0; i < 3; i++) await step();
  expect(await next).toMatchObject({ run: { state: "finished" } });
});

it("a suite that can't be run is a gap with a reason, and the queue goes on", async () => {
  const { queue, bench, readSkipped } = await setUp();
  bench.runSuite = async () => {
    throw new Error("no such card");
  };
  await expect(queue.add(ask())).rejects.toThrow("no such card");
  await eventually(() => expect(readSkipped()).toMatchObject([{ run: "r1", outcome: "refused" }]));
  await expect(queue.add(ask({ run: "r2" }))).rejects.toThrow("no such card");
});

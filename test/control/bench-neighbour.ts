import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import pino from "pino";
import { examineRoots } from "#agent/host/host-file.js";
import { createGpuUse } from "#agent/idle/gpu-use.js";
import { watchForWork } from "#agent/idle/idle-signs.js";
import { loadBench } from "#agent/runs/bench.js";
import { createQuietGate } from "#agent/runs/quiet-gate.js";
import { openRunBook } from "#agent/runs/run-book.js";
import { type RunQueue, startRunQueue } from "#agent/runs/run-queue.js";

/**
 * `make bench-neighbour`: how long a run of the quick suite takes to give way to a process that begins to work, and what
 * it costs a process that is pinned to another core. The last line is one JSON object.
 */

const { values } = parseArgs({ options: { rounds: { type: "string", default: "50" }, pairs: { type: "string", default: "8" } } });
const [rounds, pairs] = [Number(values.rounds), Number(values.pairs)];
const folder = mkdtempSync(join(tmpdir(), "fleetmark-neighbour-"));
const logger = pino({ level: "silent" });

/** Counts chunks of arithmetic, and writes the count down ten times a second. */
const work = `
const { writeFileSync } = require("node:fs");
const [file] = process.argv.slice(-1);
let count = 0, next = Date.now();
for (;;) {
  for (let i = 0, x = 1.1; i < 1e5; i++) { x = Math.sqrt(x + i); if (x < 0) count--; }
  count++;
  if (Date.now() >= next) { writeFileSync(file, Date.now() + " " + count); next = Date.now() + 100; }
}`;

interface Neighbour {
  /** When it was first seen at work, milliseconds, and how much it has done. */
  read(): { readonly atMs: number; readonly count: number } | undefined;
  stop(): void;
}

/** Starts a process that is nobody's child here, as a neighbour's is not. */
async function startNeighbour(core: number | undefined): Promise<Neighbour> {
  const file = join(folder, `neighbour-${Math.random()}`);
  const program = join(folder, "work.cjs");
  writeFileSync(program, work);
  const pin = core === undefined ? "" : `taskset -c ${core} `;
  const shell = spawn("/bin/sh", ["-c", `(${pin}${process.execPath} ${program} ${file} & echo $!)`], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const pid = await new Promise<number>((resolve) => shell.stdout.once("data", (data: Buffer) => resolve(Number(data))));
  return {
    read: () => {
      try {
        const [atMs, count] = readFileSync(file, "utf8").split(" ").map(Number);
        return Number.isFinite(count) ? { atMs, count } : undefined;
      } catch {
        return undefined;
      }
    },
    stop: () => process.kill(pid, "SIGKILL"),
  };
}

const roots = examineRoots({ proc: "/proc", sys: "/sys" });
const nowMs = (): number => Date.now();
const bounds = {
  other_cpu_cores: 0.5,
  cpu_pressure_percent: 100,
  memory_pressure_percent: 100,
  available_memory_percent: 0,
  gpu_utilization_percent: 100,
  unless_files: [],
  unless_cgroups: [],
  command: [],
};
let underWay = false;
let stamp = Date.now() * 1000;

async function openQueue(): Promise<RunQueue> {
  return startRunQueue({
    host: "h",
    findHardwareClass: () => "c",
    findEvery: () => undefined,
    ready: Promise.resolve(),
    bench: await loadBench(),
    book: await openRunBook(folder, logger),
    idle: watchForWork({ bounds, blackouts: [], roots, gpuUse: createGpuUse(), nowMs }),
    settleS: 0,
    longestRunS: 600,
    delivery: {
      clock: { stamp: () => ++stamp, state: { lastUs: 0, generation: 0 }, steps: 0 },
      recordResult: async () => "committed",
      report: ({ benchmark }) => {
        underWay = benchmark !== "";
      },
      flush: async () => {},
    },
    gate: createQuietGate(),
    nowMs,
    onActive: (isActive) => {
      if (!isActive) underWay = false;
    },
    logger,
  });
}

let sequence = 0;

function ask(queue: RunQueue, needsIdle: boolean): ReturnType<RunQueue["add"]> {
  const due = { due_us: nowMs() * 1000, expires_us: (nowMs() + 600_000) * 1000 };
  return queue.add({ run: `r${++sequence}`, suite: "quick", trigger: "command", command: "c", needs_idle: needsIdle, ...due });
}

async function waitUntil(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

/** Milliseconds from a neighbour's first work to the end of the run's last process. */
async function measureYield(queue: RunQueue): Promise<number> {
  const outcome = ask(queue, true);
  await waitUntil(() => underWay);
  await delay(500 + Math.random() * 2000);
  const neighbour = await startNeighbour(undefined);
  await waitUntil(() => neighbour.read() !== undefined);
  const begunMs = neighbour.read()?.atMs ?? Number.NaN;
  const run = await outcome;
  const tookMs = Date.now() - begunMs;
  queue.cancel(() => true, "the next round");
  neighbour.stop();
  if (run?.run.state !== "yielded") throw new Error(`the run ended as ${run?.run.state}`);
  await delay(300);
  return tookMs;
}

async function measurePace(neighbour: Neighbour, seconds: number): Promise<number> {
  const before = neighbour.read();
  await delay(seconds * 1000);
  const after = neighbour.read();
  if (before === undefined || after === undefined) throw new Error("the neighbour did not begin");
  return (after.count - before.count) / (after.atMs - before.atMs);
}

/** The neighbour's pace beside a run over its pace alone, by pairs that follow each other. */
async function measureCost(queue: RunQueue): Promise<number[]> {
  const neighbour = await startNeighbour(cpus().length - 1);
  const ratios: number[] = [];
  try {
    await delay(1000);
    for (let i = 0; i < pairs; i++) {
      const alone = await measurePace(neighbour, 5);
      const outcome = ask(queue, false);
      await waitUntil(() => underWay);
      const beside = await measurePace(neighbour, 5);
      queue.cancel(() => true, "measured");
      await outcome;
      ratios.push(beside / alone);
    }
  } finally {
    neighbour.stop();
  }
  return ratios;
}

const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

try {
  const queue = await openQueue();
  const took: number[] = [];
  for (let i = 0; i < rounds; i++) {
    took.push(await measureYield(queue));
    process.stderr.write(`gave way after ${took.at(-1)} ms\n`);
  }
  const ratios = sorted(await measureCost(queue));
  await queue.stop();
  const ordered = sorted(took);
  const yields = { rounds, median_ms: ordered[Math.floor(rounds / 2)], worst_ms: ordered.at(-1) };
  const neighbour = {
    pairs,
    median_ratio: round(ratios[Math.floor(pairs / 2)], 3),
    low: round(ratios[0], 3),
    high: round(ratios.at(-1) ?? Number.NaN, 3),
  };
  process.stdout.write(`${JSON.stringify({ cpu: cpus()[0]?.model, cores: cpus().length, yields, neighbour })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

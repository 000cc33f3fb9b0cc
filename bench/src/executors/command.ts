import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { readClock } from "../machine/clock.js";
import { type Resident, readResident } from "../machine/memory.js";
import { timeReferenceWork, warmUpReferenceWork } from "../machine/pace.js";
import { readSnapshot, type Snapshot } from "../machine/snapshot.js";
import { addWindow, beginWatch, summarizeWatch, type Watch, type WatchSummary } from "../machine/watch.js";
import type { Command } from "../workloads/workload.js";
import {
  type Account,
  addMessage,
  createAccount,
  type Done,
  decodeLine,
  encodeJob,
  type LineBuffer,
  type Ready,
  splitLines,
} from "./command-protocol.js";
import type { Executor, ExecutorOptions, Job, ProcessRun } from "./executor.js";
import { createQuietSignal, type Supervised, supervise } from "./supervision.js";

/*
 * Runs a program of the user's that measures itself, such as a JAX script in Python. It is started without a shell, as
 * the leader of a process group of its own, and watched from here by its process id: memory, CPU time, waiting, and
 * what else went on. What is left of the group when the program has ended, or must end, is killed.
 */

/**
 * Between two looks at the machine, in seconds. Each takes this process half a millisecond, which may be an agent's.
 */
const windowS = 0.25;

/** How long a command that has told all may take to end by itself, in seconds. */
const graceS = 5;

/** All that is read of a command's stdout, in characters. */
const mostOutput = 64 << 20;

/** A command under way. */
interface CommandRun {
  readonly job: Job;
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  readonly supervised: Supervised<ProcessRun>;
  readonly quieten: (quiet: boolean) => void;
  readonly startedS: number;
  /**
   * What the reference work took before the command was started: while it runs, the work would be timed against it.
   */
  readonly workS: number;
  readonly lines: LineBuffer;
  readonly account: Account;
  received: number;
  isTold: boolean;
  setupS: number;
  watch: Watch | undefined;
  resident: Resident | undefined;
  /** The next look, or, when all is told, the end of patience. */
  timer: NodeJS.Timeout | undefined;
}

async function runCommand(job: Job, options: ExecutorOptions): Promise<ProcessRun> {
  options.signal?.throwIfAborted();
  const { command } = job.benchmark;
  if (command === undefined) throw new FleetmarkError("INTERNAL", `${job.benchmark.workload} has no command to run`);
  warmUpReferenceWork();
  const run = startCommand(command, job, options, timeReferenceWork());
  try {
    const outcome = await run.supervised.ended;
    const workS = Math.max(run.workS, timeReferenceWork());
    return { ...outcome, windows: outcome.windows.map((window) => ({ ...window, workS })) };
  } finally {
    clearTimeout(run.timer);
    run.quieten(false);
  }
}

export const commandExecutor: Executor = { name: "command", run: runCommand };

function startCommand({ program, args, folder }: Command, job: Job, options: ExecutorOptions, workS: number): CommandRun {
  const startedS = readClock();
  const child = spawn(program, args, { detached: true, stdio: "pipe", cwd: folder });
  const pid = child.pid ?? 0;
  const { timeoutS, signal, onQuiet } = options;
  const run: CommandRun = {
    job,
    child,
    pid,
    supervised: supervise<ProcessRun>(child, { timeoutS, signal, kill: () => killGroup(pid) }),
    quieten: createQuietSignal(onQuiet),
    startedS,
    workS,
    lines: { rest: "" },
    account: createAccount(),
    received: 0,
    isTold: false,
    setupS: 0,
    watch: undefined,
    resident: undefined,
    timer: undefined,
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => readOutput(run, text));
  // A command that ends without reading closes the pipe: its end tells.
  child.stdin.on("error", () => undefined);
  child.stdin.write(encodeJob(job));
  return run;
}

/** Kills a process group; one that is gone already is fine. */
function killGroup(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

function readOutput(run: CommandRun, text: string): void {
  if (run.isTold) return;
  try {
    run.received += text.length;
    if (run.received > mostOutput)
      throw new FleetmarkError("BENCHMARK_FAILED", `the command wrote over ${mostOutput} characters`);
    for (const line of splitLines(run.lines, text)) {
      if (!run.isTold) readLine(run, line);
    }
  } catch (error) {
    run.supervised.abort(error);
    concludeTelling(run);
  }
}

function readLine(run: CommandRun, line: string): void {
  const message = decodeLine(line);
  if (message === undefined) return;
  addMessage(run.account, message, run.job.samples);
  const { ready, done } = run.account;
  if (message.type === "ready") {
    run.setupS = readClock() - run.startedS;
    run.quieten(true);
    run.watch = beginWatch(readSnapshot(run.pid, undefined, run.workS));
    scheduleLook(run, run.watch);
  }
  if (ready === undefined || done === undefined || run.watch === undefined) return;
  run.supervised.succeed(buildRun(run, ready, done, summarizeWatch(run.watch, look(run, run.watch))));
  concludeTelling(run);
}

function scheduleLook(run: CommandRun, watch: Watch): void {
  run.resident = readResident(run.pid) ?? run.resident;
  run.timer = setTimeout(() => {
    look(run, watch);
    scheduleLook(run, watch);
  }, windowS * 1e3);
}

/** Ends a window by a look at the machine and at the command. */
function look(run: CommandRun, watch: Watch): Snapshot {
  const seen = readSnapshot(run.pid, undefined, run.workS);
  const { ownS, mainS, waitS } = watch.latest;
  // A process that has ended shows nothing any more: what was seen of it last stands.
  addWindow(watch, seen.ownS < ownS ? { ...seen, ownS, mainS, waitS } : seen);
  run.resident = readResident(run.pid) ?? run.resident;
  return watch.latest;
}

/**
 * Nothing more is expected of the command but its end: the end of its input asks for it, and after some patience it is
 * killed.
 */
function concludeTelling(run: CommandRun): void {
  run.isTold = true;
  run.quieten(false);
  run.child.stdin.end();
  clearTimeout(run.timer);
  run.timer = setTimeout(() => killGroup(run.pid), graceS * 1e3);
}

/** @throws FleetmarkError BENCHMARK_FAILED when nothing is known of its memory */
function buildRun(run: CommandRun, ready: Ready, done: Done, seen: WatchSummary): ProcessRun {
  const { account, resident, setupS } = run;
  if (resident === undefined) {
    throw new FleetmarkError(
      "BENCHMARK_FAILED",
      "the command ended before it was seen: after done it waits for the end of its input",
    );
  }
  const samples = Float64Array.from(account.seconds);
  const { runtime, version } = ready;
  return {
    ...seen,
    kind: "repeat",
    device: ready.device,
    samples,
    course: samples,
    iterationsPerSample: done.iterations_per_sample,
    iterations: samples.length * done.iterations_per_sample,
    processed: { unit: done.processed.unit, perIteration: done.processed.per_iteration },
    metadata: {
      ...done.metadata,
      ...(runtime === undefined ? {} : { command_runtime: runtime }),
      ...(version === undefined ? {} : { command_version: version }),
    },
    setupS,
    clock: undefined,
    peakBytes: resident.peak,
    residentBytes: resident.now,
    memory: undefined,
    pinned: false,
    checksum: done.checksum,
  };
}

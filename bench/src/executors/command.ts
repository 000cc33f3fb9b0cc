import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { leadGroup } from "@fleetmark/shared/tools/process-group";
import { readClock } from "../machine/clock.js";
import { type Resident, readResident } from "../machine/memory.js";
import { timeReferenceWork, warmUpReferenceWork } from "../machine/pace.js";
import { askProcess, type ProcessEntry } from "../machine/process-table.js";
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
import type { ExecutorOptions, Job, ProcessRun } from "./executor.js";
import { createQuietSignal, type Supervised, supervise } from "./supervision.js";

/*
 * Runs a program of the user's that measures itself, such as a JAX script in Python. It is started without a shell, as
 * the leader of a process group of its own, and watched from here by its process id: memory, CPU time, waiting, and
 * what else went on. What is left of the group when the program has ended, or must end, is killed.
 *
 * Where there is no /proc, the system's own tool is asked for memory and CPU time; what else went on is not seen there.
 */

/**
 * Between two looks at the machine, in seconds. Each takes this process half a millisecond, which may be an agent's.
 */
const windowS = 0.25;

/** All that is read of a command's stdout, in characters. */
const mostOutput = 64 << 20;

type AskProcess = (pid: number) => Promise<ProcessEntry | undefined>;

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
  /** Where there is no /proc: asks for a process, the answer that is awaited, and the last one. */
  readonly ask: AskProcess | undefined;
  asking: Promise<void> | undefined;
  entry: ProcessEntry | undefined;
  /** The next look. */
  timer: NodeJS.Timeout | undefined;
}

/** @param ask tells of a process where there is no /proc, and is not asked elsewhere */
export async function runCommand(
  job: Job,
  options: ExecutorOptions,
  ask: AskProcess | undefined = readResident("self") === undefined ? askProcess : undefined,
): Promise<ProcessRun> {
  options.signal?.throwIfAborted();
  const { command } = job.benchmark;
  if (command === undefined) throw new FleetmarkError("INTERNAL", `${job.benchmark.workload} has no command to run`);
  warmUpReferenceWork();
  const run = startCommand(command, job, options, { workS: timeReferenceWork(), ask });
  try {
    const outcome = await run.supervised.ended;
    const workS = Math.max(run.workS, timeReferenceWork());
    return { ...outcome, windows: outcome.windows.map((window) => ({ ...window, workS })) };
  } finally {
    clearTimeout(run.timer);
    run.quieten(false);
  }
}

function startCommand(
  { program, args, folder }: Command,
  job: Job,
  options: ExecutorOptions,
  { workS, ask }: Pick<CommandRun, "workS" | "ask">,
): CommandRun {
  const startedS = readClock();
  const child = spawn(program, args, { ...leadGroup(), stdio: "pipe", cwd: folder });
  const pid = child.pid ?? 0;
  const { timeoutS, signal, onQuiet } = options;
  const run: CommandRun = {
    job,
    child,
    pid,
    supervised: supervise<ProcessRun>(child, { timeoutS, signal }),
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
    ask,
    asking: undefined,
    entry: undefined,
    timer: undefined,
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => readOutput(run, text));
  // A command that ends without reading closes the pipe: its end tells.
  child.stdin.on("error", () => undefined);
  child.stdin.write(encodeJob(job));
  return run;
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
    concludeTelling(run, () => run.supervised.abort(error));
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
  const seen = summarizeWatch(run.watch, look(run, run.watch));
  concludeTelling(run, () => run.supervised.succeed(buildRun(run, ready, done, seen)));
}

function scheduleLook(run: CommandRun, watch: Watch): void {
  lookAtProcess(run);
  run.timer = setTimeout(() => {
    look(run, watch);
    scheduleLook(run, watch);
  }, windowS * 1e3);
}

/** Ends a window by a look at the machine and at the command. */
function look(run: CommandRun, watch: Watch): Snapshot {
  const seen = readSnapshot(run.pid, undefined, run.workS);
  const { ownS, mainS, waitS } = watch.latest;
  if (run.ask !== undefined) {
    addWindow(watch, { ...seen, ownS: run.entry?.cpuS ?? ownS });
    lookAtProcess(run);
    return watch.latest;
  }
  // A process that has ended shows nothing any more: what was seen of it last stands.
  addWindow(watch, seen.ownS < ownS ? { ...seen, ownS, mainS, waitS } : seen);
  lookAtProcess(run);
  return watch.latest;
}

/** Looks at the command's memory, or asks for it if it is not being asked for. */
function lookAtProcess(run: CommandRun): void {
  if (run.ask === undefined) run.resident = readResident(run.pid) ?? run.resident;
  else run.asking ??= askAnew(run, run.ask);
}

async function askAnew(run: CommandRun, ask: AskProcess): Promise<void> {
  run.entry = (await ask(run.pid)) ?? run.entry;
  run.asking = undefined;
  if (run.entry === undefined) return;
  const { residentBytes } = run.entry;
  run.resident = { now: residentBytes, peak: Math.max(residentBytes, run.resident?.peak ?? 0) };
}

/**
 * Nothing more is expected of the command but its end, for which the end of its input asks: after what is being asked
 * about it was answered.
 */
function concludeTelling(run: CommandRun, decide: () => void): void {
  run.isTold = true;
  run.quieten(false);
  clearTimeout(run.timer);
  const conclude = (): void => {
    try {
      decide();
    } catch (error) {
      run.supervised.abort(error);
    }
    run.child.stdin.end();
  };
  if (run.asking === undefined) conclude();
  else run.asking.then(conclude);
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
    kind: ready.kind ?? "repeat",
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

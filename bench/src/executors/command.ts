import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { leadGroup } from "@fleetmark/shared/tools/process-group";
import { readClock } from "../machine/clock.js";
import { timeReferenceWork, warmUpReferenceWork } from "../machine/pace.js";
import type { WatchSummary } from "../machine/watch.js";
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
import {
  type AskProcess,
  beginObservation,
  chooseAsking,
  concludeObservation,
  type Observation,
  stopObservation,
} from "./observation.js";
import { createQuietSignal, type Supervised, supervise } from "./supervision.js";

/*
 * Runs a program of the user's that measures itself, such as a JAX script in Python. It is started without a shell, as
 * the leader of a process group of its own, and watched from here. What is left of the group when the program has
 * ended, or must end, is killed.
 */

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
  /** What tells of it where there is no /proc. */
  readonly ask: AskProcess | undefined;
  /** From `ready` on. */
  observation: Observation | undefined;
}

/** @param ask tells of a process where there is no /proc, and is not asked elsewhere */
export async function runCommand(
  job: Job,
  options: ExecutorOptions,
  ask: AskProcess | undefined = chooseAsking(),
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
    stopObservation(run.observation);
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
    ask,
    observation: undefined,
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
    run.observation = beginObservation(run.pid, run.workS, run.ask);
  }
  if (ready === undefined || done === undefined || run.observation === undefined) return;
  const seen = concludeObservation(run.observation);
  concludeTelling(run, () => run.supervised.succeed(buildRun(run, ready, done, seen)));
}

/**
 * Nothing more is expected of the command but its end, for which the end of its input asks: after what is being asked
 * about it was answered.
 */
function concludeTelling(run: CommandRun, decide: () => void): void {
  run.isTold = true;
  run.quieten(false);
  stopObservation(run.observation);
  const conclude = (): void => {
    try {
      decide();
    } catch (error) {
      run.supervised.abort(error);
    }
    run.child.stdin.end();
  };
  const asking = run.observation?.asking;
  if (asking === undefined) conclude();
  else asking.then(conclude);
}

/** @throws FleetmarkError BENCHMARK_FAILED when nothing is known of its memory */
function buildRun(run: CommandRun, ready: Ready, done: Done, seen: WatchSummary): ProcessRun {
  const { account, setupS } = run;
  const resident = run.observation?.resident;
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

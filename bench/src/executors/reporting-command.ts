import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { leadGroup } from "@fleetmark/shared/tools/process-group";
import { readClock } from "../machine/clock.js";
import { timeReferenceWork, warmUpReferenceWork } from "../machine/pace.js";
import { readReport } from "../report-formats/registry.js";
import type { Command, CommandReport } from "../workloads/workload.js";
import type { ExecutorOptions, Job, ProcessRun } from "./executor.js";
import { beginObservation, chooseAsking, concludeObservation, type Observation, stopObservation } from "./observation.js";
import { createQuietSignal, supervise } from "./supervision.js";

/*
 * Runs a benchmark tool of the user's to its end, such as pytest-benchmark or hyperfine, and reads what it reports. It
 * knows nothing of us: it measures as much as it likes, and is watched from start to end.
 */

/** All that is read of a report, in characters. */
const mostReported = 64 << 20;

/** What was seen of the command as long as it ran. */
interface Seen {
  readonly observation: Observation;
  readonly startedMs: number;
  output: string;
}

export async function runReportingCommand(
  job: Job,
  command: Command,
  report: CommandReport,
  { timeoutS, signal, onQuiet }: ExecutorOptions,
): Promise<ProcessRun> {
  signal?.throwIfAborted();
  warmUpReferenceWork();
  const workS = timeReferenceWork();
  const quieten = createQuietSignal(onQuiet);
  const startedMs = Date.now();
  const startedS = readClock();
  const child = spawn(command.program, command.args, {
    ...leadGroup(),
    stdio: ["ignore", "pipe", "pipe"],
    cwd: command.folder,
  });
  const seen: Seen = { observation: beginObservation(child.pid ?? 0, workS, chooseAsking()), startedMs, output: "" };
  quieten(true);
  const supervised = supervise<ProcessRun>(child, {
    timeoutS,
    signal,
    conclude: () => buildRun(job, command, report, seen, readClock() - startedS),
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen.output += text;
    if (seen.output.length > mostReported)
      supervised.abort(new FleetmarkError("BENCHMARK_FAILED", `the command wrote over ${mostReported} characters`));
  });
  try {
    const run = await supervised.ended;
    const after = Math.max(workS, timeReferenceWork());
    return { ...run, windows: run.windows.map((window) => ({ ...window, workS: after })) };
  } finally {
    stopObservation(seen.observation);
    quieten(false);
  }
}

/** Reads the report's file, which the command must have written now. @throws FleetmarkError BENCHMARK_FAILED */
function readReportFile(file: string, folder: string | undefined, startedMs: number): string {
  const path = resolve(folder ?? ".", file);
  const found = statSync(path, { throwIfNoEntry: false });
  // Some file systems tell times by the second.
  if (found === undefined || found.mtimeMs < startedMs - 1000)
    throw new FleetmarkError("BENCHMARK_FAILED", `the command ended well and did not write ${path}`);
  if (!found.isFile() || found.size > mostReported)
    throw new FleetmarkError("BENCHMARK_FAILED", `${path} is no file of at most ${mostReported} bytes`);
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new FleetmarkError("BENCHMARK_FAILED", `${path}: ${errorMessage(cause)}`, { cause });
  }
}

/** @throws FleetmarkError BENCHMARK_FAILED when the report can't be read */
function buildRun(
  job: Job,
  { folder }: Command,
  { format, file, select }: CommandReport,
  seen: Seen,
  timedS: number,
): ProcessRun {
  const text = file === undefined ? seen.output : readReportFile(file, folder, seen.startedMs);
  const { seconds, iterationsPerSample, processed = { unit: "calls", perIteration: 1 } } = readReport(format, text, select);
  const { observation } = seen;
  const watched = concludeObservation(observation);
  const samples = Float64Array.from(seconds);
  return {
    ...watched,
    timedS,
    kind: "repeat",
    device: job.benchmark.device,
    samples,
    course: samples,
    iterationsPerSample,
    iterations: Math.round(samples.length * iterationsPerSample),
    processed,
    metadata: { report_format: format, ...(select === undefined ? {} : { report_benchmark: select }) },
    setupS: 0,
    clock: undefined,
    // Of a command that was over before it was seen, nothing is known.
    peakBytes: observation.resident?.peak ?? 0,
    residentBytes: observation.resident?.now ?? 0,
    memory: undefined,
    pinned: false,
    checksum: 0,
  };
}

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ErrorCode, errorCatalogue, FleetmarkError } from "@fleetmark/shared/errors";
import type { FromChild, Job, ProcessRun, ToChild } from "./executor.js";

/** How much of the end of a child's stderr goes into the error. */
const stderrTailLength = 2_000;

/** Found beside this module, once both are compiled. */
const childProgram = fileURLToPath(new URL("./child/child-main.js", import.meta.url));

export interface ChildOptions {
  /** From start to end of the process; past it the process is killed. */
  readonly timeoutS: number;
  readonly signal?: AbortSignal | undefined;
  /** True when the child's timed section begins, false when it ends. */
  readonly onQuiet?: ((quiet: boolean) => void) | undefined;
}

const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/**
 * Runs a job in a fresh process and returns what it measured.
 * @throws FleetmarkError BENCHMARK_FAILED when the process fails, crashes, is killed or takes too long; the code of the
 * child's own FleetmarkError, such as RUNTIME_UNAVAILABLE; the signal's reason when aborted. No process is left behind.
 */
export async function runInChild(job: Job, options: ChildOptions): Promise<ProcessRun> {
  options.signal?.throwIfAborted();
  const child = fork(childProgram, [], {
    execArgv: ["--expose-gc", ...(job.benchmark.v8Flags ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  living.add(child);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-stderrTailLength);
  });
  let active = false;
  const quieten = (now: boolean): void => {
    if (now !== active) options.onQuiet?.(now);
    active = now;
  };
  try {
    return await awaitRun(child, job, options, quieten, () => stderr);
  } finally {
    quieten(false);
    living.delete(child);
  }
}

/** Resolves after the process has ended, whichever way. */
function awaitRun(
  child: ChildProcess,
  job: Job,
  { timeoutS, signal }: ChildOptions,
  quieten: (now: boolean) => void,
  readStderr: () => string,
): Promise<ProcessRun> {
  return new Promise((resolve, reject) => {
    let outcome: { run: ProcessRun } | { error: unknown } | undefined;
    const end = (error: unknown): void => {
      outcome ??= { error };
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => end(failure(`took longer than ${timeoutS} s`, readStderr())), timeoutS * 1e3);
    const abort = (): void => end(signal?.reason);
    signal?.addEventListener("abort", abort);
    child.on("message", (message: FromChild) => {
      if (message.type === "timing") quieten(message.active);
      else if (message.type === "done") outcome ??= { run: message.run };
      else outcome ??= { error: new FleetmarkError(toErrorCode(message.code), message.message) };
    });
    child.on("error", (cause) => {
      outcome ??= { error: new FleetmarkError("BENCHMARK_FAILED", `its process: ${cause.message}`, { cause }) };
      if (child.pid === undefined) settle();
    });
    // "close" and not "exit": only then has all of stderr arrived.
    child.on("close", (code, killer) => {
      outcome ??= { error: failure(killer === null ? `ended with exit code ${code}` : `was killed by ${killer}`, readStderr()) };
      settle();
    });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (outcome === undefined) return;
      if ("run" in outcome) resolve(outcome.run);
      else reject(outcome.error);
    };
    // A child that is gone already is told of by "close".
    child.send({ type: "job", job } satisfies ToChild, () => undefined);
  });
}

function failure(what: string, stderr: string): FleetmarkError {
  const tail = stderr.trim();
  return new FleetmarkError("BENCHMARK_FAILED", `its process ${what}${tail === "" ? "" : `; it said:\n${tail}`}`);
}

function toErrorCode(code: string | undefined): ErrorCode {
  return code !== undefined && code in errorCatalogue ? (code as ErrorCode) : "BENCHMARK_FAILED";
}

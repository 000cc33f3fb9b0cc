import type { ChildProcess } from "node:child_process";
import { FleetmarkError } from "@fleetmark/shared/errors";

/** How much of the end of a process's stderr goes into the error. */
const stderrTailLength = 2_000;

export interface SupervisionOptions {
  /** From start to end of the process; past it the process is killed. */
  readonly timeoutS: number;
  readonly signal?: AbortSignal | undefined;
  /** Kills the process and all that it started. Called at every end: what is gone already must not matter. */
  kill(): void;
}

/** The outcome of a process: what it gave, or why it gave nothing. The first to decide decides. */
type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** A process under way of which one outcome is expected. */
export interface Supervised<T> {
  /** Decides that this is what the process gave. */
  succeed(value: T): void;
  /** Decides that the process failed. It may end by itself. */
  fail(error: unknown): void;
  /** Decides that the process failed, and kills it. */
  abort(error: unknown): void;
  /** Resolves or rejects by what was decided, when the process has ended and all of its output has arrived. */
  readonly ended: Promise<T>;
}

/** What must be killed if this process ends. */
const living = new Set<() => void>();
process.on("exit", () => {
  for (const kill of living) kill();
});

/**
 * Watches over a process until it has ended: by itself, past its time, aborted, or because it never started. An end
 * without an outcome is a failure.
 */
export function supervise<T>(child: ChildProcess, { timeoutS, signal, kill }: SupervisionOptions): Supervised<T> {
  let outcome: Outcome<T> | undefined;
  const readTail = collectTail(child);
  const describe = (what: string): FleetmarkError => {
    const tail = readTail().trim();
    return new FleetmarkError("BENCHMARK_FAILED", `its process ${what}${tail === "" ? "" : `; it said:\n${tail}`}`);
  };
  const decide = (found: Outcome<T>): void => {
    outcome ??= found;
  };
  const abort = (error: unknown): void => {
    decide({ error });
    kill();
  };
  const abortBySignal = (): void => abort(signal?.reason);
  const timer = setTimeout(() => abort(describe(`took longer than ${timeoutS} s`)), timeoutS * 1e3);
  signal?.addEventListener("abort", abortBySignal);
  living.add(kill);
  child.on("error", (cause) => {
    decide({ error: new FleetmarkError("BENCHMARK_FAILED", `its process: ${cause.message}`, { cause }) });
  });
  const ended = awaitEnd(child, kill).then((end) => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abortBySignal);
    living.delete(kill);
    outcome ??= { error: describe(end) };
    if ("value" in outcome) return outcome.value;
    throw outcome.error;
  });
  return { succeed: (value) => decide({ value }), fail: (error) => decide({ error }), abort, ended };
}

/** Keeps the end of what a process writes to stderr. */
function collectTail(child: ChildProcess): () => string {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-stderrTailLength);
  });
  return () => tail;
}

/** Resolves when a process has ended, with words for how. What it started, and left behind, is killed then. */
function awaitEnd(child: ChildProcess, kill: () => void): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", () => {
      if (child.pid === undefined) resolve("did not start");
    });
    // What outlives the process may hold its output open, and "close" would wait for that.
    child.on("exit", kill);
    // "close" and not "exit": only then has all of stderr arrived.
    child.on("close", (code, killer) => resolve(killer === null ? `ended with exit code ${code}` : `was killed by ${killer}`));
  });
}

/** Returns what tells of the timed section, and only of changes. */
export function createQuietSignal(onQuiet: ((quiet: boolean) => void) | undefined): (quiet: boolean) => void {
  let isQuiet = false;
  return (quiet) => {
    if (quiet !== isQuiet) onQuiet?.(quiet);
    isQuiet = quiet;
  };
}

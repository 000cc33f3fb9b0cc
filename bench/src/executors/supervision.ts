import type { ChildProcess } from "node:child_process";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { awaitEnd, describeEnd, killGroup, type ProcessEnd } from "@fleetmark/shared/tools/process-group";
import { toTimerMs } from "@fleetmark/shared/waiting";

/** How much of the end of a process's stderr goes into the error. */
const stderrTailLength = 2_000;

export interface SupervisionOptions<T = never> {
  /** From start to end of the process; past it the process is killed. */
  readonly timeoutS: number;
  readonly signal?: AbortSignal | undefined;
  /** What it amounts to that a process ended well, where that is its outcome. May throw. */
  readonly conclude?: () => T;
}

/** Seconds that a process gets to end by itself when its outcome is known; then it is killed. */
const graceS = 5;

/** Seconds that a killed process gets to end; then it is let go of, as one that sleeps uninterruptibly never does. */
const killedPatienceS = 2;

/** The outcome of a process: what it gave, or why it gave nothing. The first to decide decides. */
type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** A process under way of which one outcome is expected. */
export interface Supervised<T> {
  /** Decides that this is what the process gave. It may end by itself, for a while. */
  succeed(value: T): void;
  /** Decides that the process failed. It may end by itself, for a while. */
  fail(error: unknown): void;
  /** Decides that the process failed, unless its outcome is known, and kills it. */
  abort(error: unknown): void;
  /**
   * Resolves or rejects by what was decided, when the process has ended and its output has arrived, or soon after it
   * was killed.
   */
  readonly ended: Promise<T>;
}

/** What must be killed if this process ends. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) killGroup(child);
});

/**
 * Watches over a process that leads a group until it has ended: by itself, past its time, aborted, or because it never
 * started. An end without an outcome is a failure. Nothing of its group is left, and what left the group is not waited
 * for.
 */
export function supervise<T>(child: ChildProcess, { timeoutS, signal, conclude }: SupervisionOptions<T>): Supervised<T> {
  let outcome: Outcome<T> | undefined;
  const readTail = collectTail(child);
  const describe = (what: string): FleetmarkError => {
    const tail = readTail().trim();
    return new FleetmarkError("BENCHMARK_FAILED", `its process ${what}${tail === "" ? "" : `; it said:\n${tail}`}`);
  };
  const decide = (found: Outcome<T>): void => {
    outcome ??= found;
  };
  const awaited = awaitEnd(child);
  const abort = (error: unknown): void => {
    decide({ error });
    killGroup(child);
    awaited.expect(killedPatienceS);
  };
  const abortBySignal = (): void => abort(signal?.reason);
  let timer = setTimeout(() => abort(describe(`took longer than ${timeoutS} s`)), toTimerMs(timeoutS));
  const decideFinally = (found: Outcome<T>): void => {
    decide(found);
    clearTimeout(timer);
    timer = setTimeout(() => abort(undefined), graceS * 1e3);
  };
  signal?.addEventListener("abort", abortBySignal);
  if (signal?.aborted) abortBySignal();
  living.add(child);
  child.once("exit", () => living.delete(child));
  child.on("error", (cause) => {
    if (child.pid !== undefined) return;
    decide({ error: new FleetmarkError("BENCHMARK_FAILED", `its process: ${cause.message}`, { cause }) });
  });
  const ended = awaited.end.then((end) => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abortBySignal);
    if (end === "unstarted") living.delete(child);
    outcome ??= concludeEnd(end, conclude) ?? { error: describe(describeEnd(end)) };
    if ("value" in outcome) return outcome.value;
    throw outcome.error;
  });
  return { succeed: (value) => decideFinally({ value }), fail: (error) => decideFinally({ error }), abort, ended };
}

/** Returns the outcome of a process that ended well without telling any. */
function concludeEnd<T>(end: ProcessEnd, conclude: (() => T) | undefined): Outcome<T> | undefined {
  if (conclude === undefined || typeof end !== "object" || end.code !== 0) return undefined;
  try {
    return { value: conclude() };
  } catch (error) {
    return { error };
  }
}

/** Keeps the end of what a process writes to stderr. */
function collectTail(child: ChildProcess): () => string {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-stderrTailLength);
  });
  return () => tail;
}

/** Returns what tells of the timed section, and only of changes. */
export function createQuietSignal(onQuiet: ((quiet: boolean) => void) | undefined): (quiet: boolean) => void {
  let isQuiet = false;
  return (quiet) => {
    if (quiet !== isQuiet) onQuiet?.(quiet);
    isQuiet = quiet;
  };
}

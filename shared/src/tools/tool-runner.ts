/**
 * Runs programs that may hang, lie or flood, such as nvidia-smi on a broken driver, and waits for none of them.
 *
 *     run ──► spawn in a process group of its own ──► exit ──► what it printed, within bytes
 *                │                                     │
 *                │ deadline, flood or abort            └─ a grandchild that holds the pipe is not waited for
 *                ▼
 *             SIGKILL to the group, answer at once, walk away
 *                │
 *                └─ a process in uninterruptible sleep stays: the same tool is then refused until it has ended
 */
import { type ChildProcess, spawn } from "node:child_process";
import { errorMessage, systemErrorCode } from "../errors.js";
import { abandonProcess, awaitEnd, describeEnd, killGroup, leadGroup, type ProcessEnd } from "./process-group.js";

/**
 * How a tool did. `absent`: there is no such program; `failed`: it ended with an error or printed too much;
 * `timed_out`: it was killed at its deadline; `hung`: the one before was killed and still has not ended.
 */
export type ToolState = "ok" | "absent" | "failed" | "timed_out" | "hung";

export type ToolOutcome =
  | { readonly state: "ok"; readonly stdout: string; readonly seconds: number }
  | { readonly state: Exclude<ToolState, "ok">; readonly reason: string; readonly seconds: number };

export interface ToolOptions {
  /** Seconds after which it is killed. */
  readonly deadlineS: number;
  /** The most bytes that it may print on stdout; default 4 MiB. */
  readonly maxBytes?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const defaultMaxBytes = 4 * 2 ** 20;
/** How much of the end of stderr goes into the reason. */
const reasonLength = 500;

interface ToolRun {
  readonly name: string;
  readonly child: ChildProcess;
  readonly maxBytes: number;
  readonly chunks: Buffer[];
  readonly startedMs: number;
  bytes: number;
  complaint: string;
  answer: ((outcome: ToolOutcome) => void) | undefined;
}

/** Tools whose process has not ended, by name: each at most once. */
const living = new Map<string, ToolRun>();

process.on("exit", () => {
  for (const { child } of living.values()) killGroup(child);
});

function elapsed({ startedMs }: Pick<ToolRun, "startedMs">): number {
  return (performance.now() - startedMs) / 1e3;
}

/** Answers once, and lets go of the pipes: who holds their other end delays nothing. */
function finish(
  run: ToolRun,
  outcome: Omit<ToolOutcome & { state: "ok" }, "seconds"> | { state: Exclude<ToolState, "ok">; reason: string },
): void {
  const { answer, child } = run;
  if (answer === undefined) return;
  run.answer = undefined;
  abandonProcess(child);
  run.chunks.length = 0;
  answer({ ...outcome, seconds: elapsed(run) });
}

function giveUp(run: ToolRun, state: "failed" | "timed_out", reason: string): void {
  killGroup(run.child);
  finish(run, { state, reason });
}

function conclude(run: ToolRun, end: ProcessEnd): void {
  if (run.answer === undefined) return;
  const stdout = Buffer.concat(run.chunks).toString("utf8");
  if (typeof end === "object" && end.code === 0) {
    finish(run, { state: "ok", stdout });
    return;
  }
  // Many tools complain on stdout.
  const said = (run.complaint || stdout.slice(-4 * reasonLength)).trim().replaceAll(/\s+/g, " ").slice(-reasonLength);
  finish(run, { state: "failed", reason: said === "" ? describeEnd(end) : `${describeEnd(end)}: ${said}` });
}

function watch(run: ToolRun): void {
  const { child, name } = run;
  child.stdout?.on("data", (chunk: Buffer) => {
    run.bytes += chunk.length;
    if (run.bytes > run.maxBytes) giveUp(run, "failed", `it printed more than ${run.maxBytes} bytes`);
    else run.chunks.push(chunk);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    run.complaint = (run.complaint + text).slice(-reasonLength);
  });
  child.once("error", (thrown) => {
    if (child.pid !== undefined) return;
    living.delete(name);
    const state = systemErrorCode(thrown) === "ENOENT" ? "absent" : "failed";
    finish(run, { state, reason: state === "absent" ? "not found" : errorMessage(thrown) });
  });
  // The process itself and not its pipes: a later one is held back for no longer than it lives.
  child.once("exit", () => living.delete(name));
  awaitEnd(child).end.then((end) => conclude(run, end));
}

function spawnTool(command: string, args: readonly string[], environment: ToolOptions["environment"]): ChildProcess {
  return spawn(command, args, {
    ...leadGroup(),
    stdio: ["ignore", "pipe", "pipe"],
    // Numbers and words as programs read them, whatever the person's language.
    env: { ...process.env, LC_ALL: "C", LANG: "C", ...environment },
  });
}

/**
 * Runs a program to its end, its deadline or its bound, whichever is first, and never waits longer. Never throws.
 * @param name of the tool: while a process of it lives, a second one is not begun
 */
export function runTool(name: string, command: string, args: readonly string[], options: ToolOptions): Promise<ToolOutcome> {
  const { deadlineS, maxBytes = defaultMaxBytes, environment, signal } = options;
  const before = living.get(name);
  if (before !== undefined) {
    const reason = `the one that began ${elapsed(before).toFixed(0)} s ago has not ended`;
    return Promise.resolve({ state: "hung", reason, seconds: 0 });
  }
  if (signal?.aborted === true) return Promise.resolve({ state: "failed", reason: "interrupted", seconds: 0 });
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawnTool(command, args, environment);
    } catch (thrown) {
      resolve({ state: "failed", reason: errorMessage(thrown), seconds: 0 });
      return;
    }
    const timer = setTimeout(() => giveUp(run, "timed_out", `no end within ${deadlineS} s`), deadlineS * 1e3);
    const abort = (): void => giveUp(run, "failed", "interrupted");
    const answer = (outcome: ToolOutcome): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(outcome);
    };
    const startedMs = performance.now();
    const run: ToolRun = { name, child, maxBytes, chunks: [], startedMs, bytes: 0, complaint: "", answer };
    living.set(name, run);
    signal?.addEventListener("abort", abort);
    watch(run);
  });
}

/** Names the tools whose process has not ended: those that run, and those that were killed and can't die. */
export function listLivingTools(): string[] {
  return [...living.keys()];
}

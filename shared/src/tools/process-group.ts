/**
 * The end of processes that were started in a group of their own, and what is done about those that do not end.
 *
 *     ended ───► exit ──► what is left of its group is killed ──► its pipes close, or are let go of ──► end
 *     killed ──► exit, as above
 *           └──► no exit, for it sleeps uninterruptibly ──► let go of after a patience ──► end, unseen
 *
 * On Windows there are neither groups nor signals: `taskkill /T` ends a process with those that it started.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** Seconds after the end of a process within which what it printed must have come. */
const drainS = 0.25;

/** The options by which a process leads a group of its own. On Windows it would get a console window instead. */
export function leadGroup(platform: NodeJS.Platform = process.platform): Pick<SpawnOptions, "detached" | "windowsHide"> {
  return platform === "win32" ? { detached: false, windowsHide: true } : { detached: true };
}

/**
 * Kills a process and all that it started and left in its group, without waiting for it; what is gone already is fine.
 * @param run starts `taskkill`
 */
export function killGroup({ pid }: Pick<ChildProcess, "pid">, platform = process.platform, run = startTaskkill): void {
  if (pid === undefined) return;
  if (platform === "win32") {
    run(["/PID", String(pid), "/T", "/F"]);
    return;
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone, or not ours to kill any more.
  }
}

function startTaskkill(args: readonly string[]): void {
  const killing = spawn("taskkill", args, { stdio: "ignore", windowsHide: true });
  killing.on("error", () => undefined);
  killing.unref();
}

/** How a process ended. `unseen`: it was killed, and still has not ended. */
export type ProcessEnd = { readonly code: number | null; readonly killer: NodeJS.Signals | null } | "unseen" | "unstarted";

/** Lets go of a process: neither it nor who holds the other end of its pipes delays anything. */
export function abandonProcess(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
  if (child.connected) child.disconnect();
  child.unref();
}

/** A process whose end is awaited. */
export interface AwaitedEnd {
  /** Resolves when it has ended and its output has arrived, or is waited for no longer. Never rejects. */
  readonly end: Promise<ProcessEnd>;
  /** From now on it is expected to end: if it has not after so many seconds, it is let go of. */
  expect(seconds: number): void;
}

/** Awaits the end of a process that leads a group. What it left behind in the group is killed then. */
export function awaitEnd(child: ChildProcess): AwaitedEnd {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let conclude = (_end: ProcessEnd): void => {};
  const end = new Promise<ProcessEnd>((resolve) => {
    conclude = (found) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      abandonProcess(child);
      resolve(found);
    };
  });
  // Of a process that was started, it tells of messages and signals that did not reach it.
  child.on("error", () => {
    if (child.pid === undefined) conclude("unstarted");
  });
  child.once("exit", (code, killer) => {
    clearTimeout(timer);
    // Windows finds those whose parent is gone no more.
    if (process.platform !== "win32") killGroup(child);
    // What left the group may hold the pipes open, and "close" would wait for that.
    timer = setTimeout(() => conclude({ code, killer }), drainS * 1e3);
    child.once("close", () => conclude({ code, killer }));
  });
  return {
    end,
    expect: (seconds) => {
      if (isOver || child.exitCode !== null || child.signalCode !== null) return;
      clearTimeout(timer);
      timer = setTimeout(() => conclude("unseen"), seconds * 1e3);
    },
  };
}

export function describeEnd(end: ProcessEnd): string {
  if (end === "unseen") return "was killed and has not ended: it may be in an uninterruptible sleep";
  if (end === "unstarted") return "did not start";
  return end.killer === null ? `ended with exit code ${end.code}` : `was killed by ${end.killer}`;
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DaemonMessage } from "#cli/processes/daemon.js";
import { repositoryRoot } from "./repository-root.js";

export const fleetmarkBin = join(repositoryRoot, "cli/bin/fleetmark.js");

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `fleetmark …` as a child process, as a user would start it. */
export interface Program {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout or stderr holds the pattern; rejects when the program ends before. */
  waitFor(pattern: RegExp): Promise<void>;
}

export interface StartOptions {
  readonly environment?: Record<string, string>;
  /** Starts it as a supervisor would, with a channel for its messages. */
  readonly supervised?: boolean;
  readonly cwd?: string;
  /** Told of its pid before it has done anything. */
  readonly onPid?: (pid: number) => void;
}

export function startProgram(args: readonly string[], options: StartOptions = {}): Program {
  const child = spawn(process.execPath, [fleetmarkBin, ...args], {
    stdio: ["ignore", "pipe", "pipe", ...(options.supervised ? (["ipc"] as const) : [])],
    env: { ...process.env, ...options.environment },
    cwd: options.cwd,
  });
  if (child.pid !== undefined) options.onPid?.(child.pid);
  const output = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((resolve) => child.once("close", (code, signal) => resolve({ code, signal, ...output })));
  return {
    process: child,
    ended,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(output.stdout) && !pattern.test(output.stderr)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
        ended.then((end) => reject(new Error(`ended before it showed ${pattern}: ${JSON.stringify(end)}`)));
      }),
  };
}

/** Runs `fleetmark …` to its end. */
export function runProgram(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return startProgram(args, options).ended;
}

/** Starts a daemon and waits until it serves; returns the facts that it tells a supervisor. */
export async function startDaemon<Facts>(
  args: readonly string[],
  options: StartOptions = {},
): Promise<Program & { facts: Facts }> {
  const program = startProgram(args, { ...options, supervised: true });
  const facts = await new Promise<Facts>((resolve, reject) => {
    program.process.once("message", (message: DaemonMessage) => {
      if (message.event === "ready") resolve(message.facts as Facts);
      else reject(new Error(JSON.stringify(message)));
    });
    program.ended.then((end) => reject(new Error(`ended while starting: ${JSON.stringify(end)}`)));
  });
  return { ...program, facts };
}

/** Makes a temporary folder; `remove` takes it away with all it holds. */
export function makeFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "fleetmark-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Pids of all processes below a process, found in /proc. */
export async function listDescendants(pid: number): Promise<number[]> {
  const { readFile } = await import("node:fs/promises");
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const direct = children.split(" ").filter(Boolean).map(Number);
  return [...direct, ...(await Promise.all(direct.map(listDescendants))).flat()];
}

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export interface ProcessRecipe {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** File that takes what it prints. */
  readonly log: string;
  /** Whether it serves. */
  readonly isReady: () => Promise<boolean>;
}

/** A server that can be killed, paused, and started again as it was. */
export interface ManagedProcess {
  readonly name: string;
  readonly pid: number | undefined;
  /** Every exit that nobody asked for. */
  readonly crashes: string[];
  /** Starts it and waits until it serves. */
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

const startWithinMs = 60_000;

export function manageProcess({ name, command, environment, log, isReady }: ProcessRecipe): ManagedProcess {
  let child: ChildProcess | undefined;
  let expected = false;
  const crashes: string[] = [];

  const isGone = (process: ChildProcess | undefined): boolean =>
    process === undefined || process.exitCode !== null || process.signalCode !== null;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const dying = child;
    expected = true;
    if (dying === undefined || isGone(dying)) return;
    const gone = new Promise((resolve) => dying.once("exit", resolve));
    dying.kill(signal);
    // One that is stopped does not take the signal before it goes on.
    dying.kill("SIGCONT");
    await gone;
  };

  return {
    name,
    crashes,
    get pid() {
      return child?.pid;
    },
    async start() {
      const file = openSync(log, "a");
      const started = spawn(command[0], command.slice(1), {
        env: { ...process.env, ...environment },
        stdio: ["ignore", file, file],
      });
      closeSync(file);
      child = started;
      expected = false;
      started.once("exit", (code, signal) => {
        if (!expected && child === started) crashes.push(`${name} ended by itself: ${signal ?? code}`);
      });
      const deadline = performance.now() + startWithinMs;
      while (!(await isReady())) {
        if (isGone(started)) throw new Error(`${name} ended while it started; see ${log}`);
        if (performance.now() > deadline) throw new Error(`${name} did not serve within ${startWithinMs / 1000} s; see ${log}`);
        await delay(50);
      }
    },
    signal: (signal) => void child?.kill(signal),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

/** Whether a URL answers with success. */
export function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.ok;
    },
    () => false,
  );
}

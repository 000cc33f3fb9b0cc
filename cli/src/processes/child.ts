import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { DaemonMessage } from "./daemon.js";

const program = fileURLToPath(new URL("../../bin/fleetmark.js", import.meta.url));

/**
 * A young generation of 1 MB: a daemon at rest makes little garbage, and the default of 16 MB would only be memory
 * taken from the host.
 */
const nodeFlags = ["--max-semi-space-size=1"];

/** How a child ended. */
export interface Ended {
  readonly description: string;
  /** What it said last. */
  readonly facts: object;
}

/** A daemon as a child process. */
export interface Child<Facts> {
  readonly pid: number | undefined;
  /** What it says once it serves. Rejects with what it gave as its reason for not starting. */
  readonly ready: Promise<Facts>;
  readonly ended: Promise<Ended>;
  /** Asks it to end in order. */
  askToStop(): void;
  kill(): void;
}

/** Starts `fleetmark ARGS…` with a channel for its messages. */
export type StartChild = <Facts>(args: readonly string[], environment: NodeJS.ProcessEnv) => Child<Facts>;

function createEnding(child: ChildProcess, findLast: () => object): Promise<Ended> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ description: error.message, facts: findLast() }));
    child.once("exit", (code, signal) => resolve({ description: signal ?? `exit code ${code}`, facts: findLast() }));
  });
}

export const startChild: StartChild = <Facts>(args: readonly string[], environment: NodeJS.ProcessEnv): Child<Facts> => {
  const child = spawn(process.execPath, [...nodeFlags, program, ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: environment,
  });
  let last: object = {};
  const ended = createEnding(child, () => last);
  const ready = new Promise<Facts>((resolve, reject) => {
    child.on("message", (message: DaemonMessage) => {
      if (message.event === "ready") resolve(message.facts as Facts);
      else if (message.event === "stopped") last = message.facts;
      else reject(new FleetmarkError(isErrorCode(message.code) ? message.code : "INTERNAL", message.message));
    });
    void ended.then(({ description }) =>
      reject(new FleetmarkError("INTERNAL", `fleetmark ${args[0]} ended while starting: ${description}`)),
    );
  });
  ready.catch(() => undefined);
  // One that has gone can't be told.
  child.on("error", () => undefined);
  return {
    pid: child.pid,
    ready,
    ended,
    askToStop: () => {
      if (child.connected) child.send({ stop: true }, () => undefined);
    },
    kill: () => void child.kill("SIGKILL"),
  };
};

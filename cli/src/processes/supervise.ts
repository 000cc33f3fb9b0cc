import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ErrorCode, errorCatalogue, FleetmarkError } from "@fleetmark/shared/errors";
import type { DaemonMessage } from "./daemon.js";

const program = fileURLToPath(new URL("../../bin/fleetmark.js", import.meta.url));
const stopPatienceMs = 5_000;
const restartPauseMs = 500;

/**
 * A young generation of 1 MB: a daemon at rest makes little garbage, and the default of 16 MB would only be memory
 * taken from the host.
 */
const nodeFlags = ["--max-semi-space-size=1"];

/** A daemon that runs as a child process, and is started again when it dies. */
export interface Supervised<Facts> {
  /** What the daemon said when it first served. */
  readonly facts: Facts;
  readonly pid: () => number | undefined;
  /** Rejects when the daemon can't be kept running. */
  readonly lost: Promise<never>;
  /** Stops the daemon and returns what it said last. */
  stop(): Promise<object>;
}

interface Child<Facts> {
  readonly process: ChildProcess;
  readonly ready: Promise<Facts>;
  readonly ended: Promise<{ description: string; facts: object }>;
}

function startChild<Facts>(args: readonly string[], environment: NodeJS.ProcessEnv): Child<Facts> {
  const child = spawn(process.execPath, [...nodeFlags, program, ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: environment,
  });
  let last: object = {};
  let resolveReady: (facts: Facts) => void;
  let rejectReady: (error: FleetmarkError) => void;
  const ready = new Promise<Facts>((resolve, reject) => {
    [resolveReady, rejectReady] = [resolve, reject];
  });
  ready.catch(() => undefined);
  child.on("message", (message: DaemonMessage) => {
    if (message.event === "ready") resolveReady(message.facts as Facts);
    else if (message.event === "stopped") last = message.facts;
    else
      rejectReady(new FleetmarkError(message.code in errorCatalogue ? (message.code as ErrorCode) : "INTERNAL", message.message));
  });
  const ended = new Promise<{ description: string; facts: object }>((resolve) => {
    child.once("error", (error) => resolve({ description: error.message, facts: last }));
    child.once("exit", (code, signal) => resolve({ description: signal ?? `exit code ${code}`, facts: last }));
  });
  ended.then(({ description }) =>
    rejectReady(new FleetmarkError("INTERNAL", `fleetmark ${args[0]} ended while starting: ${description}`)),
  );
  return { process: child, ready, ended };
}

/**
 * Starts `fleetmark ARGS…` as a supervised child and waits until it serves.
 * @param chooseArgs gives the arguments: of the first start without facts, of later ones with what the first had said
 * @param onRestart told how the daemon ended each time before it is started again
 * @throws FleetmarkError what the daemon gave as its reason for not starting
 */
export async function supervise<Facts>(
  chooseArgs: (facts?: Facts) => readonly string[],
  environment: NodeJS.ProcessEnv,
  onRestart: (description: string) => void,
): Promise<Supervised<Facts>> {
  let child = startChild<Facts>(chooseArgs(), environment);
  let stopping = false;
  const facts = await child.ready;
  const keepRunning = async (): Promise<never> => {
    for (;;) {
      const { description } = await child.ended;
      if (stopping) return new Promise<never>(() => undefined);
      onRestart(description);
      await delay(restartPauseMs);
      if (stopping) return new Promise<never>(() => undefined);
      child = startChild<Facts>(chooseArgs(facts), environment);
      await child.ready;
    }
  };
  const lost = keepRunning();
  lost.catch(() => undefined);
  return {
    facts,
    pid: () => child.process.pid,
    lost,
    stop: async () => {
      stopping = true;
      if (child.process.connected) child.process.send({ stop: true });
      const patience = setTimeout(() => child.process.kill("SIGKILL"), stopPatienceMs);
      const { facts: last } = await child.ended;
      clearTimeout(patience);
      return last;
    },
  };
}

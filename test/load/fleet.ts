import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "../testbed/repository-root.js";
import type { FleetCommand, FleetEvent, FleetProcessOptions } from "./fleet-process.js";
import type { Naming } from "./simulated-host.js";

const program = join(repositoryRoot, "test/dist/load/fleet-process.js");

export type FleetStatus = Extract<FleetEvent, { event: "status" }>;

/** One process of simulated hosts, which can be killed and started again on the same spools. */
export interface FleetProcess {
  readonly name: string;
  /** What its hosts are called when nothing is wrong. */
  readonly hosts: readonly Naming[];
  readonly journal: string;
  /** The last it told; undefined since its last start until it tells. */
  status(): FleetStatus | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Kills it as a crash would, and resolves when it is gone. */
  kill(): Promise<void>;
  /** @param changed what is other than at its first start */
  start(changed?: Partial<Pick<FleetProcessOptions, "hosts" | "clockStepS">>): void;
  step(seconds: number): void;
  quiet(): void;
  /**
   * Lets it deliver what it has, and end. Returns how many samples were left undelivered; all of them where it crashed.
   */
  drain(seconds: number): Promise<number>;
  /** Every exit that nobody asked for. */
  readonly crashes: string[];
}

/** @param prefix command that the process is run by, such as `nsenter …` */
export function startFleetProcess(name: string, options: FleetProcessOptions, prefix: readonly string[] = []): FleetProcess {
  let child: ChildProcess | undefined;
  let status: FleetStatus | undefined;
  let expected = false;
  let unacked: number | undefined;
  const crashes: string[] = [];

  const start: FleetProcess["start"] = (changed = {}) => {
    const argument = JSON.stringify({ ...options, ...changed });
    const [file, ...args] = [...prefix, process.execPath, "--max-semi-space-size=4", program, argument];
    status = undefined;
    expected = false;
    const started = spawn(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    started.on("message", (message: FleetEvent) => {
      if (message.event === "status") status = message;
      else unacked = message.unacked;
    });
    started.on("error", () => {});
    started.once("exit", (code, signal) => {
      if (!expected && code !== 0) crashes.push(`${name} ended by itself: ${signal ?? code}`);
    });
    child = started;
  };
  const gone = (): Promise<void> => {
    const dying = child;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => dying.once("exit", () => resolve()));
  };
  const tell = (command: FleetCommand): void => {
    if (child?.connected) child.send(command, () => {});
  };

  start();
  return {
    name,
    hosts: options.hosts,
    journal: options.journal,
    crashes,
    status: () => status,
    signal: (signal) => void child?.kill(signal),
    async kill() {
      expected = true;
      child?.kill("SIGKILL");
      await gone();
    },
    start,
    step: (stepS) => tell({ command: "clock", stepS }),
    quiet: () => tell({ command: "quiet" }),
    async drain(seconds) {
      tell({ command: "drain", seconds });
      await gone();
      return unacked ?? Number.POSITIVE_INFINITY;
    },
  };
}

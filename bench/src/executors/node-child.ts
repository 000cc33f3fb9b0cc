import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { leadGroup } from "@fleetmark/shared/tools/process-group";
import type { Executor, ExecutorOptions, Job, ProcessRun } from "./executor.js";
import { createQuietSignal, supervise } from "./supervision.js";

/*
 * Measures a workload in a forked Node process, which times itself: nothing lies between its clock and the work. The
 * life of one:
 *
 *   this process                     the child (child/child-main.ts)
 *     fork, with the flags of V8 ──►   loads the task module
 *     job ──────────────────────────►  sets the task up, loads its runtime, goes to its core
 *     quiet begins ◄────────── timing  calibrates, takes samples in windows, looks at the machine in between
 *     quiet ends   ◄────────── timing  collects garbage, searches for a leak if asked
 *     outcome      ◄── done or failed  tears the task down
 *                  ◄───────────── end  exits; or is killed when it is late or not wanted any more
 *
 * It leads a process group of its own, which ends with it. When this process is gone, the child hears of it and exits.
 */

/** What the child is told. */
export type ToChild = { readonly type: "job"; readonly job: Job };

/** What the child tells. */
export type FromChild =
  | { readonly type: "timing"; readonly active: boolean }
  | { readonly type: "done"; readonly run: ProcessRun }
  | { readonly type: "failed"; readonly code: string | undefined; readonly message: string };

/** Found beside this module, once both are compiled. */
const childProgram = fileURLToPath(new URL("./child/child-main.js", import.meta.url));

async function runInChild(job: Job, { timeoutS, signal, onQuiet }: ExecutorOptions): Promise<ProcessRun> {
  signal?.throwIfAborted();
  const child = fork(childProgram, [], {
    execArgv: ["--expose-gc", ...(job.benchmark.v8Flags ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    ...leadGroup(),
  });
  const supervised = supervise<ProcessRun>(child, { timeoutS, signal });
  const quieten = createQuietSignal(onQuiet);
  child.on("message", (message: FromChild) => {
    if (message.type === "timing") quieten(message.active);
    else if (message.type === "done") supervised.succeed(message.run);
    else supervised.fail(new FleetmarkError(isErrorCode(message.code) ? message.code : "BENCHMARK_FAILED", message.message));
  });
  // A child that is gone already is told of by its end.
  child.send({ type: "job", job } satisfies ToChild, () => undefined);
  try {
    return await supervised.ended;
  } finally {
    quieten(false);
  }
}

export const nodeChildExecutor: Executor = { name: "node-child", run: runInChild };

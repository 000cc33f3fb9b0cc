/** The program of the child process: takes one job, measures it, sends what it found, and ends. */
import { FleetmarkError } from "@fleetmark/shared/errors";
import { readClock } from "../../machine/clock.js";
import { pinMainThread } from "../../machine/cores.js";
import type { Benchmark, Task } from "../../workloads/workload.js";
import type { Job, ProcessRun } from "../executor.js";
import type { FromChild, ToChild } from "../node-child.js";
import { measureProcess } from "./process-measurement.js";
import { setUpUserTask } from "./user-task.js";

type SetupTask = (benchmark: Benchmark, seed: number) => Promise<Task>;

/** Sends a message and waits until it has left this process, so that no writing happens in a timed section. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function loadSetup(url: string): Promise<SetupTask> {
  const module: unknown = await import(url);
  const setupTask = (module as { setupTask?: unknown }).setupTask;
  if (typeof setupTask !== "function") throw new FleetmarkError("INTERNAL", `${url} exports no setupTask`);
  return setupTask as SetupTask;
}

async function runJob(job: Job): Promise<ProcessRun> {
  const started = readClock();
  const setupTask = job.benchmark.module === undefined ? await loadSetup(job.taskModule) : setUpUserTask;
  const task = await setupTask(job.benchmark, job.seed);
  const setupS = readClock() - started;
  // The threads of collector and compiler, and those that a tensor runtime began in its setup, stay where they are.
  const pinned = job.core !== undefined && (await pinMainThread(job.core));
  const run = await measureProcess(task, job, { setupS, pinned, onTiming: (active) => send({ type: "timing", active }) });
  task.teardown();
  return run;
}

process.once("disconnect", () => process.exit(1));
process.once("message", async ({ job }: ToChild) => {
  try {
    await send({ type: "done", run: await runJob(job) });
  } catch (thrown) {
    const code = thrown instanceof FleetmarkError ? thrown.code : undefined;
    const message =
      thrown instanceof Error ? (code === undefined ? (thrown.stack ?? thrown.message) : thrown.message) : String(thrown);
    await send({ type: "failed", code, message });
  }
  process.exit(0);
});

import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Benchmark, Params, Processed, RepeatTask, Task } from "../../workloads/workload.js";
import { wrapCalls } from "./user-function.js";

/*
 * Tasks out of modules of the user's own. What Fleetmark's own modules are held to by their types is looked at here.
 */

const oneCall: Processed = { unit: "calls", perIteration: 1 };
const nothing = (): void => {};

function fail(url: string, what: string): never {
  throw new FleetmarkError("BENCHMARK_FAILED", `${url} ${what}`);
}

/** Makes a task that calls a function with the benchmark's parameters; one call tells whether it is to be awaited. */
async function wrapFunction(measured: (params: Params) => unknown, { params }: Benchmark): Promise<RepeatTask> {
  const iterate = await wrapCalls(() => measured(params), 1);
  return { kind: "repeat", iterate, processed: oneCall, teardown: nothing };
}

const work: Readonly<Record<Task["kind"], readonly string[]>> = {
  repeat: ["iterate"],
  compare: ["baseline", "candidate"],
  "first-call": ["call"],
  episode: ["episode"],
};

function isKind(kind: unknown): kind is Task["kind"] {
  return typeof kind === "string" && Object.hasOwn(work, kind);
}

/** Completes what `setupTask` returned: a task needs no more than its work. */
function completeTask(url: string, returned: unknown): Task {
  if (typeof returned !== "object" || returned === null) return fail(url, "returned no task from setupTask");
  const task = { kind: "repeat", processed: oneCall, teardown: nothing, ...returned } as Record<string, unknown>;
  if (!isKind(task.kind))
    return fail(url, `returned a task of the kind ${JSON.stringify(task.kind)}, not ${Object.keys(work).join(", ")}`);
  const lacking = work[task.kind].find((key) => typeof task[key] !== "function");
  if (lacking !== undefined) fail(url, `returned a task without the function ${lacking}`);
  return task as unknown as Task;
}

type Exports = Readonly<Record<string, unknown>>;

/**
 * Prepares the task of a benchmark out of the user's module: by its `setupTask`, or by the function that is named.
 * @throws FleetmarkError BENCHMARK_FAILED saying what the module lacks
 */
export async function setUpUserTask(benchmark: Benchmark, seed: number): Promise<Task> {
  const { url = "", function: name = "setupTask" } = benchmark.module ?? {};
  const exported = ((await import(url)) as Exports)[name];
  if (typeof exported !== "function") {
    return fail(
      url,
      `exports no function ${name}${name === "setupTask" ? ": export it, or name another one by `function`" : ""}`,
    );
  }
  if (name === "setupTask") return completeTask(url, await exported(benchmark, seed));
  return wrapFunction(exported as (params: Params) => unknown, benchmark);
}

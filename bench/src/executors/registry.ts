import type { Benchmark } from "../workloads/workload.js";
import { commandExecutor } from "./command-executor.js";
import type { Executor } from "./executor.js";
import { nodeChildExecutor } from "./node-child.js";

/** Returns what runs a benchmark: its own command if it has one, else the workload in a forked Node process. */
export function chooseExecutor(benchmark: Benchmark): Executor {
  return benchmark.command === undefined ? nodeChildExecutor : commandExecutor;
}

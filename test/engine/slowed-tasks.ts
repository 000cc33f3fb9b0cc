/** The project's own tasks, each made slower by one twentieth: every twentieth iteration is done twice. */
import { setupTask as setupOwnTask } from "#bench/workloads/registry.js";
import type { Benchmark, Iterate, Task } from "#bench/workloads/workload.js";

const twiceEvery = 20;

export async function setupTask(benchmark: Benchmark, seed: number): Promise<Task> {
  const task = await setupOwnTask(benchmark, seed);
  return task.kind === "repeat" ? { ...task, iterate: slow(task.iterate) } : task;
}

function slow(iterate: Iterate): Iterate {
  let count = 0;
  return (() => {
    if (++count % twiceEvery !== 0) return iterate();
    const first = iterate();
    return typeof first === "number" ? first + (iterate as () => number)() : first.then(() => iterate());
  }) as Iterate;
}

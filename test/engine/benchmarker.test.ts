import { expect, it } from "vitest";
import { Benchmarker } from "#bench/benchmarker.js";

const taskModule = new URL("../../bench/test/tasks.mjs", import.meta.url).href;

it("a Benchmarker runs a suite, and keeps its results", async () => {
  const benchmarker = new Benchmarker();
  const benchmarks = [
    { workload: "spin", category: "external", params: { rounds: 2000 }, runtime: "js", device: "cpu" },
  ] as const;
  const { run } = await benchmarker.runAll({ suite: { name: "own", description: "", benchmarks }, taskModule, budgetS: 2 });
  expect(run.completed).toBe(1);
  expect(benchmarker.results).toHaveLength(1);
});

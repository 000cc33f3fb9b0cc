import { z } from "zod";
import { parseDocument, type ReportFormat } from "./report-format.js";

const seconds = z.number().positive();

const schema = z.object({
  benchmarks: z
    .array(
      z.object({
        name: z.string(),
        fullname: z.string(),
        stats: z.object({
          median: seconds,
          iterations: z.number().positive().default(1),
          /** There by --benchmark-save-data. */
          data: z.array(seconds).optional(),
        }),
      }),
    )
    .min(1, "there is no benchmark in it"),
});

/**
 * `pytest --benchmark-json=FILE`: rounds, each the mean of its iterations, in seconds. Without --benchmark-save-data
 * there are no rounds in it, and a process counts by its median.
 */
export const pytestBenchmark: ReportFormat = {
  name: "pytest-benchmark",
  parse(text) {
    const { benchmarks } = parseDocument("pytest-benchmark", text, schema);
    const names = benchmarks.map(({ name }) => name);
    return benchmarks.map(({ name, fullname, stats }) => ({
      // Tests of one name in several files are told apart by their files.
      name: names.filter((each) => each === name).length > 1 ? fullname : name,
      seconds: stats.data !== undefined && stats.data.length > 0 ? stats.data : [stats.median],
      iterationsPerSample: stats.iterations,
    }));
  },
};

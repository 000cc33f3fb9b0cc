import { median } from "@fleetmark/shared/stats/quantiles";
import { z } from "zod";
import type { Processed } from "../workloads/workload.js";
import { parseDocument, type ReportedBenchmark, type ReportFormat, refuseReport } from "./report-format.js";

const secondsPerUnit = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1 } as const;

const entrySchema = z.object({
  name: z.string(),
  run_name: z.string().optional(),
  /** Absent before version 1.5, when aggregates were told by their names alone. */
  run_type: z.enum(["iteration", "aggregate"]).optional(),
  aggregate_name: z.string().optional(),
  iterations: z.number().positive().optional(),
  real_time: z.number().optional(),
  cpu_time: z.number().optional(),
  time_unit: z.enum(["ns", "us", "ms", "s"]).default("ns"),
  items_per_second: z.number().positive().optional(),
  bytes_per_second: z.number().positive().optional(),
  error_occurred: z.boolean().optional(),
  error_message: z.string().optional(),
  skipped: z.boolean().optional(),
  skip_message: z.string().optional(),
});
type Entry = z.infer<typeof entrySchema>;

const schema = z.object({ benchmarks: z.array(entrySchema).min(1) });

function isIteration({ run_type, name }: Entry): boolean {
  return run_type === undefined ? !/_(mean|median|stddev|cv|BigO|RMS)$/.test(name) : run_type === "iteration";
}

/** What one iteration processed: rates are by CPU time, unless the benchmark asked for real time. */
function readProcessed(entry: Entry): Processed | undefined {
  const { name, items_per_second, bytes_per_second, real_time = 0, cpu_time = real_time, time_unit } = entry;
  const seconds = (name.includes("/real_time") ? real_time : cpu_time) * secondsPerUnit[time_unit];
  if (items_per_second !== undefined) return { unit: "elements", perIteration: items_per_second * seconds };
  if (bytes_per_second !== undefined) return { unit: "bytes", perIteration: bytes_per_second * seconds };
  return undefined;
}

function readEntries(name: string, entries: readonly Entry[]): ReportedBenchmark {
  const iterationsPerSample = median(entries.map(({ iterations = 1 }) => iterations));
  const failed = entries.find(({ error_occurred, skipped }) => error_occurred || skipped);
  const seconds = entries.map(({ real_time = 0, time_unit }) => real_time * secondsPerUnit[time_unit]);
  if (failed !== undefined)
    return {
      name,
      seconds: [],
      iterationsPerSample,
      failure: failed.error_message ?? failed.skip_message ?? "it does not say why",
    };
  if (seconds.some((each) => !(each > 0))) return { name, seconds: [], iterationsPerSample, failure: "it took no time" };
  const processed = readProcessed(entries[0]);
  return { name, seconds, iterationsPerSample, ...(processed === undefined ? {} : { processed }) };
}

/** `--benchmark_format=json`: of each benchmark its repetitions, by wall time. Aggregates are passed over. */
export const googleBenchmark: ReportFormat = {
  name: "google-benchmark",
  parse(text) {
    const entries = parseDocument("Google Benchmark", text, schema).benchmarks.filter(isIteration);
    const names = [...new Set(entries.map(({ run_name, name }) => run_name ?? name))];
    if (names.length === 0)
      refuseReport("Google Benchmark", "it holds aggregates alone: leave out --benchmark_report_aggregates_only");
    return names.map((name) =>
      readEntries(
        name,
        entries.filter((entry) => (entry.run_name ?? entry.name) === name),
      ),
    );
  },
};

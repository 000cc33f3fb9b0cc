import { median } from "@fleetmark/shared/stats/quantiles";
import { z } from "zod";
import { parseDocument, type ReportedBenchmark, type ReportFormat, refuseReport } from "./report-format.js";

const counts = z.array(z.number().positive()).min(1);
const messageSchema = z.object({
  id: z.string(),
  iteration_count: counts,
  measured_values: z.array(z.number().positive()).min(1),
  unit: z.string(),
});
const sampleSchema = z.object({ iters: counts, times: z.array(z.number().positive()).min(1) });

const secondsPerUnit: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1 };

function readSamples(name: string, iterations: readonly number[], values: readonly number[], unit: string): ReportedBenchmark {
  const factor = secondsPerUnit[unit];
  if (factor === undefined) refuseReport("Criterion", `${name} is measured in ${JSON.stringify(unit)}, which is no time`);
  if (iterations.length !== values.length)
    refuseReport("Criterion", `${name} has ${values.length} values of ${iterations.length} iteration counts`);
  return {
    name,
    seconds: values.map((value, i) => (value * factor) / iterations[i]),
    iterationsPerSample: median(iterations),
  };
}

/** A line of `cargo criterion --message-format=json`; those that tell of something else are passed over. */
function readLine(line: string): ReportedBenchmark | undefined {
  if (!line.includes('"benchmark-complete"')) return undefined;
  const { id, iteration_count, measured_values, unit } = parseDocument("Criterion", line, messageSchema);
  return readSamples(id, iteration_count, measured_values, unit);
}

/**
 * The lines of `cargo criterion --message-format=json`, or the file sample.json that Criterion.rs leaves of a
 * benchmark, whose times are nanoseconds.
 */
export const criterion: ReportFormat = {
  name: "criterion",
  parse(text) {
    const found = text.split("\n").flatMap((line) => readLine(line) ?? []);
    if (found.length > 0) return found;
    const { iters, times } = parseDocument("Criterion", text, sampleSchema);
    return [readSamples("sample", iters, times, "ns")];
  },
};

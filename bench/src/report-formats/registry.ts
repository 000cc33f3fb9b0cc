import { FleetmarkError } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { criterion } from "./criterion.js";
import { googleBenchmark } from "./google-benchmark.js";
import { hyperfine } from "./hyperfine.js";
import { pytestBenchmark } from "./pytest-benchmark.js";
import type { ReportedBenchmark, ReportFormat } from "./report-format.js";

/** Every format: to add one, write its file and list it here. */
export const reportFormats: readonly ReportFormat[] = [hyperfine, googleBenchmark, pytestBenchmark, criterion];

export const reportFormatNames: readonly string[] = reportFormats.map(({ name }) => name);

/**
 * Reads a benchmark out of a report: the one of the name, or the only one.
 * @throws FleetmarkError BENCHMARK_FAILED when it is no such report or has no such benchmark
 */
export function readReport(formatName: string, text: string, wanted: string | undefined): ReportedBenchmark {
  const format = reportFormats.find(({ name }) => name === formatName);
  if (format === undefined) throw new FleetmarkError("INTERNAL", `there is no report format ${formatName}`);
  const told = format.parse(text);
  const names = told.map(({ name }) => name);
  const found = wanted === undefined && told.length === 1 ? told[0] : told.find(({ name }) => name === wanted);
  if (found?.failure !== undefined) throw new FleetmarkError("BENCHMARK_FAILED", `${found.name} failed: ${found.failure}`);
  if (found !== undefined) return found;
  if (wanted === undefined)
    throw new FleetmarkError(
      "BENCHMARK_FAILED",
      `its report has ${told.length} benchmarks: \`select\` one of ${names.join(", ")}`,
    );
  throw new FleetmarkError("BENCHMARK_FAILED", `its report has no ${wanted}; ${suggest(wanted, names)}`);
}

import { formatNumber, formatQuantity } from "@fleetmark/shared/model/numbers";
import { type Result, readP99 } from "@fleetmark/shared/model/result";
import type { Colours } from "./colours.js";
import { formatTable, left, right } from "./table.js";

/** Lays out results by category: median, its 95 % interval relative to it, p99, samples, throughput and verdicts. */
export function formatResultsTable(results: readonly Result[], colour: Colours): string {
  const ordered = [...results].sort((a, b) => a.category.localeCompare(b.category) || a.name.localeCompare(b.name));
  const rows = ordered.map((result) => [
    result.category,
    result.name,
    formatQuantity(result, result.median),
    `${formatQuantity(result, result.median_low)} … ${formatQuantity(result, result.median_high)}`,
    formatQuantity(result, readP99(result)),
    String(result.n),
    result.throughput > 0 ? `${formatNumber(result.throughput)} ${result.throughput_unit}` : "",
    [
      result.steady_state.replaceAll("_", " "),
      result.conclusive === "yes" ? "" : colour.yellow("wide"),
      result.disturbance === "" ? "" : colour.yellow("disturbed"),
    ]
      .filter((word) => word !== "")
      .join(", "),
  ]);
  return formatTable(
    [
      left("category"),
      left("benchmark"),
      right("median"),
      right("95 % interval"),
      right("p99"),
      right("n"),
      right("throughput"),
      left("verdict"),
    ],
    rows,
    colour.dim,
  );
}

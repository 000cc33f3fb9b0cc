import type { Result } from "@fleetmark/shared/result";
import type { Colours } from "./colours.js";
import { formatNumber, formatSeconds, formatTable } from "./table.js";

function formatQuantity(result: Result, value: number): string {
  return result.unit === "s" ? formatSeconds(value) : `${formatNumber(value)} ${result.unit}`;
}

/** Lays out results by category: median, its 95 % interval relative to it, p99, samples, throughput and verdicts. */
export function formatResultsTable(results: readonly Result[], colour: Colours): string {
  const ordered = [...results].sort((a, b) => a.category.localeCompare(b.category) || a.name.localeCompare(b.name));
  const rows = ordered.map((result) => [
    result.category,
    result.name,
    formatQuantity(result, result.median),
    `${formatQuantity(result, result.median_low)} … ${formatQuantity(result, result.median_high)}`,
    formatQuantity(result, result.p99),
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
      { title: "category", align: "left" },
      { title: "benchmark", align: "left" },
      { title: "median", align: "right" },
      { title: "95 % interval", align: "right" },
      { title: "p99", align: "right" },
      { title: "n", align: "right" },
      { title: "throughput", align: "right" },
      { title: "verdict", align: "left" },
    ],
    rows,
    colour.dim,
  );
}

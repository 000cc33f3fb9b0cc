import type { Comparison, ComparisonReport } from "@fleetmark/shared/judgement/comparison";
import { formatNumber } from "@fleetmark/shared/model/numbers";
import type { Colours } from "./colours.js";
import { formatTable, left, right } from "./table.js";

function formatChange(comparison: Comparison, value: number): string {
  const unit = comparison.metric === "overhead" ? " points" : " %";
  return `${value > 0 ? "+" : ""}${value.toFixed(1)}${unit}`;
}

function paintVerdict({ verdict, severity }: Comparison, colour: Colours): string {
  if (verdict === "regressed") return colour.red(severity === "low" ? verdict : `${verdict}, ${severity}`);
  if (verdict === "improved") return colour.green(verdict);
  return verdict === "unchanged" ? verdict : colour.yellow(verdict);
}

/** Says of how many benchmarks the memory is not compared, and why; empty if of none. */
export function describeOtherMemory({ otherMemory }: Pick<ComparisonReport, "otherMemory">): string {
  if (otherMemory.length === 0) return "";
  return `\nmemory of ${otherMemory.length} benchmarks is not compared: the baseline's tool measures it in another way`;
}

/** Lays out how each figure moved against the baseline: change, its 99 % interval, verdict and severity. */
export function formatComparison(report: ComparisonReport, colour: Colours): string {
  const rows = report.comparisons.map((comparison) => [
    comparison.name,
    comparison.metric,
    formatNumber(comparison.before),
    formatNumber(comparison.after),
    formatChange(comparison, comparison.change),
    comparison.low === null || comparison.high === null
      ? "no interval"
      : `${formatChange(comparison, comparison.low)} … ${formatChange(comparison, comparison.high)}`,
    paintVerdict(comparison, colour),
  ]);
  const table = formatTable(
    [
      left("against the baseline"),
      left("metric"),
      right("before"),
      right("after"),
      right("change"),
      right("99 % interval"),
      left("verdict"),
    ],
    rows,
    colour.dim,
  );
  const added = report.added.map((name) => `\nnot in the baseline: ${name}`);
  const missing = report.missing.map((name) => `\nonly in the baseline: ${name}`);
  const doubt =
    report.otherHardware === null
      ? ""
      : `${colour.yellow(`The baseline is of other hardware (${report.otherHardware.before}, now ${report.otherHardware.after}): only memory is judged.`)}\n`;
  return [doubt, table, describeOtherMemory(report), ...added, ...missing].join("");
}

import type { Comparison, ComparisonReport } from "@fleetmark/shared/judgement/comparison";
import { formatNumber, formatQuantity } from "@fleetmark/shared/model/numbers";
import type { Result, Run } from "@fleetmark/shared/model/result";
import type { Acceptance } from "@fleetmark/shared/model/result-file";
import { formatDuration } from "@fleetmark/shared/model/units";
import { formatOrigin } from "./origin-line.js";

/** What a summary tells of. */
export interface SummaryFacts {
  readonly run: Run;
  readonly results: readonly Result[];
  readonly report: ComparisonReport | undefined;
  /** What is compared with, for people; default: the baseline. */
  readonly former?: string | undefined;
  readonly accepted: Acceptance | undefined;
}

/** A cell of a table in Markdown: one line, and no bar of its own. */
function escapeCell(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\s+/g, " ").replaceAll("<", "&lt;");
}

function formatRows(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles, titles.map(() => "---"), ...rows.map((row) => row.map(escapeCell))];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function formatChange({ metric, change }: Comparison): string {
  return `${change > 0 ? "+" : ""}${change.toFixed(1)} ${metric === "overhead" ? "points" : "%"}`;
}

/** What moved comes first, and what stands is folded away: few read past the first screen. */
function describeComparison(report: ComparisonReport, former: string): string[] {
  const { comparisons, otherHardware, added, missing } = report;
  const moved = comparisons.filter(({ verdict }) => verdict !== "unchanged");
  const count = (verdict: Comparison["verdict"]): number => comparisons.filter((each) => each.verdict === verdict).length;
  const counts = (["regressed", "improved", "unchanged", "inconclusive", "not-steady"] as const)
    .filter((verdict) => count(verdict) > 0)
    .map((verdict) => `${count(verdict)} ${verdict}`);
  const rows = moved.map((each) => [
    each.name,
    each.metric,
    formatNumber(each.before),
    formatNumber(each.after),
    formatChange(each),
    each.severity === "none" ? each.verdict : `**${each.verdict}**, ${each.severity}`,
  ]);
  return [
    counts.length === 0 ? `Nothing was compared: ${former} has none of these benchmarks.` : `${counts.join(", ")}.`,
    ...(otherHardware === null
      ? []
      : [`The baseline is of other hardware (${otherHardware.before}, now ${otherHardware.after}): only memory is judged.`]),
    ...(rows.length === 0 ? [] : [formatRows(["benchmark", "figure", "before", "after", "change", "verdict"], rows)]),
    ...(added.length === 0 ? [] : [`Not in ${former}: ${added.map((name) => `\`${name}\``).join(", ")}`]),
    ...(missing.length === 0 ? [] : [`Only in ${former}: ${missing.map((name) => `\`${name}\``).join(", ")}`]),
  ];
}

function describeAccepted({ by, reason }: Acceptance): string {
  return `Accepted as the new baseline by ${escapeCell(by)}${reason === "" ? "" : `: ${escapeCell(reason)}`}`;
}

function describeResults(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    formatQuantity(result, result.median),
    `${formatQuantity(result, result.median_low)} … ${formatQuantity(result, result.median_high)}`,
    result.steady_state.replaceAll("_", " "),
  ]);
  const table = formatRows(["benchmark", "median", "95 % interval", "course"], rows);
  return `<details><summary>${results.length} results</summary>\n\n${table}\n\n</details>`;
}

/**
 * Writes what a run gave in Markdown, for the summary of a job or a comment: verdicts first, all results folded away.
 */
export function formatSummary({ run, results, report, former = "the baseline", accepted }: SummaryFacts): string {
  const origin = formatOrigin(run);
  const failures = run.failures.map(({ name, error }) => `- **failed** \`${name}\`: ${escapeCell(error)}`);
  const parts = [
    `### Benchmarks: suite ${run.suite}`,
    `${run.completed} of ${run.total} benchmarks in ${formatDuration(run.duration)} on ${run.host} (${run.hw_class})${
      origin === "" ? "" : `, of ${escapeCell(origin)}`
    }`,
    ...(report === undefined ? [] : describeComparison(report, former)),
    ...(accepted === undefined ? [] : [describeAccepted(accepted)]),
    ...(failures.length === 0 ? [] : [failures.join("\n")]),
    describeResults(results),
  ];
  return `${parts.join("\n\n")}\n`;
}

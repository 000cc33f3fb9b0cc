import type { Comparison } from "@fleetmark/shared/judgement/comparison";
import { formatNumber } from "@fleetmark/shared/model/numbers";
import type { Column, Table } from "../output/table.js";
import { describeVerdict, formatSigned, paintVerdict } from "./verdicts.js";

/** Writes a change with its sign: an overhead moves by points, all else by percent. */
export function formatChange({ metric }: Comparison, value: number): string {
  return `${formatSigned(value)}${metric === "overhead" ? " points" : " %"}`;
}

function formatInterval(comparison: Comparison): string {
  const { low, high } = comparison;
  return low === null || high === null ? "no interval" : `${formatChange(comparison, low)} … ${formatChange(comparison, high)}`;
}

const columns: readonly Column<Comparison>[] = [
  { key: "benchmark", title: "benchmark", align: "left", value: ({ name }) => name, isLead: true },
  { key: "metric", title: "metric", align: "left", value: ({ metric }) => metric },
  {
    key: "before",
    title: "before",
    align: "right",
    value: ({ before }) => before,
    text: ({ before }) => formatNumber(before),
    rank: 3,
  },
  {
    key: "after",
    title: "after",
    align: "right",
    value: ({ after }) => after,
    text: ({ after }) => formatNumber(after),
    rank: 3,
  },
  {
    key: "change",
    title: "change",
    align: "right",
    value: ({ change }) => change,
    text: (comparison) => formatChange(comparison, comparison.change),
  },
  { key: "low", title: "low", align: "right", value: ({ low }) => low, only: "programs" },
  { key: "high", title: "high", align: "right", value: ({ high }) => high, only: "programs" },
  {
    key: "interval",
    title: "99 % interval",
    align: "right",
    value: () => null,
    text: formatInterval,
    rank: 2,
    only: "people",
  },
  {
    key: "verdict",
    title: "verdict",
    align: "left",
    value: ({ verdict }) => verdict,
    text: describeVerdict,
    paint: (comparison, colours) => paintVerdict(comparison, colours),
  },
  { key: "severity", title: "severity", align: "left", value: ({ severity }) => severity, only: "programs" },
];

/** Lays out how each figure moved: change, its 99 % interval, verdict and severity. */
export function buildComparisonTable(rows: readonly Comparison[]): Table<Comparison> {
  return { columns, rows };
}

import type { BenchmarkTrend } from "@fleetmark/shared/judgement/trend";
import { formatQuantity } from "@fleetmark/shared/model/numbers";
import type { Column, Table } from "../output/table.js";
import { hostColumn } from "./results.js";
import { formatMoment, formatTime } from "./times.js";
import { formatBounds, formatShift } from "./verdicts.js";

const columns: readonly Column<BenchmarkTrend>[] = [
  { key: "benchmark", title: "benchmark", align: "left", value: ({ name }) => name, isLead: true },
  {
    key: "direction",
    title: "trend",
    align: "left",
    value: ({ direction }) => direction,
    paint: ({ direction }, colours) =>
      direction === "slower" ? colours.red : direction === "faster" ? colours.green : (text) => text,
  },
  {
    key: "per_week",
    title: "a week",
    align: "right",
    value: ({ per_week }) => per_week,
    text: (trend) => formatShift(trend, trend.per_week),
  },
  { key: "low", title: "low", align: "right", value: ({ low }) => low, only: "programs" },
  { key: "high", title: "high", align: "right", value: ({ high }) => high, only: "programs" },
  {
    key: "interval",
    title: "95 % interval",
    align: "right",
    value: () => null,
    text: ({ low, high }) => formatBounds(low, high),
    rank: 4,
    only: "people",
  },
  {
    key: "change",
    title: "in all",
    align: "right",
    value: ({ change }) => change,
    text: (trend) => formatShift(trend, trend.change),
  },
  {
    key: "recent_change",
    title: "last 3 to the rest",
    align: "right",
    value: ({ recent_change }) => recent_change,
    text: (trend) => (trend.recent_change === null ? "" : formatShift(trend, trend.recent_change)),
    rank: 3,
  },
  { key: "p", title: "p", align: "right", value: ({ p }) => p, text: ({ p }) => p.toFixed(3), rank: 2 },
  { key: "results", title: "results", align: "right", value: ({ results }) => results, rank: 2 },
  {
    key: "from",
    title: "since",
    align: "left",
    value: ({ from_us }) => formatTime(from_us),
    text: ({ from_us }) => formatMoment(from_us),
    rank: 1,
  },
  {
    key: "last",
    title: "now",
    align: "right",
    value: ({ last }) => last,
    text: ({ last, unit }) => formatQuantity({ unit }, last),
    rank: 1,
  },
];

/** Lays out where benchmarks go, the ones that become slower first. */
export function buildTrendTable(rows: readonly BenchmarkTrend[]): Table<BenchmarkTrend> {
  return { columns: [hostColumn(rows), ...columns], rows };
}

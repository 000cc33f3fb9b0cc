import { formatCount, formatNumber, formatQuantity } from "@fleetmark/shared/model/numbers";
import { type Result, readP99 } from "@fleetmark/shared/model/result";
import type { Column, Table } from "../output/table.js";
import { formatMoment, formatSince, formatTime } from "./times.js";

/** Says how a result settled: `flat`, `warmup, wide, disturbed`. */
export function describeSteadiness({ steady_state, conclusive, disturbance }: Result): string {
  const words = [steady_state.replaceAll("_", " "), conclusive === "yes" ? "" : "wide", disturbance === "" ? "" : "disturbed"];
  return words.filter((word) => word !== "").join(", ");
}

/** When a result was measured: what the first column of a history says, and the last of a list of results. */
export const momentColumn: Column<Result> = {
  key: "time",
  title: "time",
  align: "left",
  value: ({ time_us }) => formatTime(time_us),
  text: ({ time_us }) => formatMoment(time_us),
};

function describeAge(nowUs: number): Column<Result> {
  const text = ({ time_us }: Result): string => formatSince(time_us, nowUs);
  return { ...momentColumn, title: "age", align: "right", text, rank: 6 };
}

export function hostColumn<R extends { readonly host: string }>(rows: readonly R[]): Column<R> {
  const column: Column<R> = { key: "host", title: "host", align: "left", value: ({ host }) => host, least: 8 };
  return new Set(rows.map(({ host }) => host)).size > 1 ? column : { ...column, only: "programs" };
}

export const nameColumn: Column<Result> = {
  key: "benchmark",
  title: "benchmark",
  align: "left",
  value: ({ name }) => name,
  isLead: true,
};

/** The figures of a result, for people with their units, for programs beside them. */
export const figureColumns: readonly Column<Result>[] = [
  {
    key: "median",
    title: "median",
    align: "right",
    value: ({ median }) => median,
    text: (result) => formatQuantity(result, result.median),
  },
  { key: "unit", title: "unit", align: "left", value: ({ unit }) => unit, only: "programs" },
  { key: "median_low", title: "low", align: "right", value: ({ median_low }) => median_low, only: "programs" },
  { key: "median_high", title: "high", align: "right", value: ({ median_high }) => median_high, only: "programs" },
  {
    key: "interval",
    title: "95 % interval",
    align: "right",
    value: () => null,
    text: (result) => `${formatQuantity(result, result.median_low)} … ${formatQuantity(result, result.median_high)}`,
    rank: 4,
    only: "people",
  },
  {
    key: "p99",
    title: "p99",
    align: "right",
    value: readP99,
    text: (result) => formatQuantity(result, readP99(result)),
    rank: 2,
  },
  { key: "n", title: "n", align: "right", value: ({ n }) => n, text: ({ n }) => formatCount(n), rank: 1 },
  {
    key: "throughput",
    title: "throughput",
    align: "right",
    value: ({ throughput }) => throughput,
    text: ({ throughput, throughput_unit }) => (throughput > 0 ? `${formatNumber(throughput)} ${throughput_unit}` : ""),
    rank: 3,
  },
  { key: "throughput_unit", title: "unit", align: "left", value: ({ throughput_unit }) => throughput_unit, only: "programs" },
  {
    key: "verdict",
    title: "verdict",
    align: "left",
    value: describeSteadiness,
    paint: ({ conclusive, disturbance }, colours) =>
      conclusive === "yes" && disturbance === "" ? (text) => text : colours.yellow,
  },
];

const compareTexts = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/**
 * Lays out results by host, category and name, the newest of each first: median, its 95 % interval, p99, samples,
 * throughput, how they settled, and their age.
 * @param nowUs undefined for results that were measured just now
 */
export function buildResultsTable(results: readonly Result[], nowUs?: number): Table<Result> {
  const rows = [...results].sort(
    (a, b) =>
      compareTexts(a.host, b.host) ||
      compareTexts(a.category, b.category) ||
      compareTexts(a.name, b.name) ||
      b.time_us - a.time_us,
  );
  const category: Column<Result> = {
    key: "category",
    title: "category",
    align: "left",
    value: (result) => result.category,
    rank: 1,
  };
  const run: Column<Result> = { key: "run", title: "run", align: "left", value: (result) => result.run, only: "programs" };
  const age = nowUs === undefined ? [] : [describeAge(nowUs)];
  return { columns: [hostColumn(rows), category, nameColumn, ...figureColumns, ...age, run], rows };
}

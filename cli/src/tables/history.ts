import type { Comparison } from "@fleetmark/shared/judgement/comparison";
import type { Result } from "@fleetmark/shared/model/result";
import type { Column, Table } from "../output/table.js";
import { formatChange } from "./comparison.js";
import { figureColumns, hostColumn, momentColumn, nameColumn } from "./results.js";
import { describeVerdict, paintVerdict } from "./verdicts.js";

/** A result, and how it moved since the one before it of the same benchmark on the same host. */
export interface HistoryRow {
  readonly result: Result;
  readonly change: Comparison | undefined;
}

/** Makes a column of results one of rows that hold results. */
function lift({ text, paint, ...column }: Column<Result>): Column<HistoryRow> {
  return {
    ...column,
    value: ({ result }) => column.value(result),
    ...(text === undefined ? {} : { text: ({ result }: HistoryRow) => text(result) }),
    ...(paint === undefined ? {} : { paint: ({ result }: HistoryRow, colours) => paint(result, colours) }),
  };
}

/** Says by how much the figure that is shown moved: half the throughput is twice the time. */
function readChange({ metric, change }: Comparison): number {
  return metric === "throughput" ? 100 * (100 / (100 + change) - 1) : change;
}

const changeColumns: readonly Column<HistoryRow>[] = [
  {
    key: "change",
    title: "since the one before",
    align: "left",
    value: ({ change }) => (change === undefined ? null : readChange(change)),
    text: ({ change }) => (change === undefined ? "" : `${formatChange(change, readChange(change))} ${describeVerdict(change)}`),
    paint: ({ change }, colours) => paintVerdict(change, colours),
    rank: 6,
  },
  { key: "change_verdict", title: "", align: "left", value: ({ change }) => change?.verdict ?? null, only: "programs" },
];

/** Lays out the results of a benchmark, the newest first, each with how it moved since the one before. */
export function buildHistoryTable(rows: readonly HistoryRow[]): Table<HistoryRow> {
  const results = rows.map(({ result }) => result);
  const hasNames = new Set(results.map(({ name }) => name)).size > 1;
  const name: Column<Result> = hasNames ? nameColumn : { ...nameColumn, only: "programs" };
  const columns = [momentColumn, hostColumn(results), name, ...figureColumns].map(lift);
  return { columns: [...columns, ...changeColumns], rows };
}

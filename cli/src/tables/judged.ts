import type { ErrorRate } from "@fleetmark/shared/judgement/error-rate";
import { formatQuantity } from "@fleetmark/shared/model/numbers";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import type { Column, Table } from "../output/table.js";
import { hostColumn } from "./results.js";
import { formatMoment, formatTime } from "./times.js";
import { describeVerdict, formatBounds, formatShift, paintVerdict } from "./verdicts.js";

const columns: readonly Column<VerdictRecord>[] = [
  { key: "benchmark", title: "benchmark", align: "left", value: ({ name }) => name, isLead: true },
  {
    key: "verdict",
    title: "verdict",
    align: "left",
    value: ({ verdict }) => verdict,
    text: describeVerdict,
    paint: (judged, colours) => paintVerdict(judged, colours),
  },
  { key: "severity", title: "severity", align: "left", value: ({ severity }) => severity, only: "programs" },
  {
    key: "change",
    title: "change",
    align: "right",
    value: ({ change }) => change,
    text: (judged) => (judged.baseline === "none" ? "" : formatShift(judged, judged.change)),
  },
  { key: "low", title: "low", align: "right", value: ({ low }) => low ?? null, only: "programs" },
  { key: "high", title: "high", align: "right", value: ({ high }) => high ?? null, only: "programs" },
  {
    key: "interval",
    title: "interval",
    align: "right",
    value: () => null,
    text: ({ low, high }) => (low === undefined || high === undefined ? "" : formatBounds(low, high)),
    rank: 3,
    only: "people",
  },
  {
    key: "before",
    title: "before",
    align: "right",
    value: ({ before }) => before,
    text: ({ before, unit }) => formatQuantity({ unit }, before),
    rank: 5,
  },
  {
    key: "after",
    title: "after",
    align: "right",
    value: ({ after }) => after,
    text: ({ after, unit }) => formatQuantity({ unit }, after),
    rank: 5,
  },
  {
    key: "baseline",
    title: "against",
    align: "left",
    value: ({ baseline }) => baseline,
    text: ({ baseline, baseline_results: results }) => (baseline === "rolling" ? `the last ${results}` : baseline),
    rank: 4,
  },
  {
    key: "since",
    title: "since",
    align: "left",
    value: ({ since_us }) => formatTime(since_us),
    text: ({ since_us }) => formatMoment(since_us),
    rank: 2,
  },
  { key: "cause", title: "cause", align: "left", value: ({ cause }) => cause, rank: 6 },
  { key: "why", title: "why", align: "left", value: ({ why }) => why, only: "programs" },
];

/** Lays out verdicts: by how much a benchmark moved, against what, since when, and why. */
export function buildVerdictTable(rows: readonly VerdictRecord[]): Table<VerdictRecord> {
  return { columns: [hostColumn(rows), ...columns], rows };
}

/** Lays out how often verdicts were wrong, for programs. */
export function buildErrorRateTable(rate: ErrorRate): Table<ErrorRate> {
  const keys = ["verdicts", "benchmark_years", "alarms", "false_alarms", "per_year", "low", "high"] as const;
  return { columns: keys.map((key) => ({ key, title: key, align: "right", value: (row) => row[key] })), rows: [rate] };
}

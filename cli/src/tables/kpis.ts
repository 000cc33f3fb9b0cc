import type { AgedKpi } from "@fleetmark/shared/judgement/freshness";
import type { KpiChange } from "@fleetmark/shared/judgement/kpi-change";
import { formatAge, formatNumber } from "@fleetmark/shared/model/numbers";
import type { Column, Table } from "../output/table.js";
import type { Colors } from "../output/terminal.js";
import { formatTime } from "./times.js";
import { paintVerdict } from "./verdicts.js";

/** A KPI of a host, and how it moved since an earlier run where there is one. */
export interface KpiRow {
  readonly host: string;
  readonly hw_class: string;
  readonly reading: AgedKpi;
  readonly change?: KpiChange;
}

export interface KpiTableOptions {
  readonly hasHosts: boolean;
  readonly hasAges: boolean;
}

const words: Readonly<Record<AgedKpi["status"], string>> = {
  ok: "ok",
  missed: "target missed",
  alert: "ALERT",
  undecided: "undecided",
  missing: "not measured",
  stale: "stale",
};

export function describeStatus({ status, measured_status }: AgedKpi): string {
  return status === "stale" && measured_status !== "ok" ? `stale, was ${words[measured_status]}` : words[status];
}

function paintStatus({ status }: AgedKpi, colours: Colors): (text: string) => string {
  if (status === "ok") return colours.green;
  if (status === "missing") return colours.dim;
  return status === "alert" ? (text) => colours.bold(colours.red(text)) : colours.yellow;
}

function describeChange({ change }: KpiRow): string {
  if (change === undefined) return "";
  const unit = change.kpi.endsWith("_percent") ? " pp" : " %";
  return `${change.change > 0 ? "+" : ""}${change.change.toFixed(1)}${unit} ${change.verdict}`;
}

const describeLimit = (row: KpiRow, towards: "better" | "worse", limit: number): string => {
  const isHigher = (row.reading.better === "higher") === (towards === "better");
  return `${isHigher ? ">" : "<"} ${formatNumber(limit)}`;
};

function listIdentity(hasHosts: boolean): Column<KpiRow>[] {
  return [
    { key: "host", title: "host", align: "left", value: ({ host }) => host, least: 8, ...(hasHosts ? {} : { only: "programs" }) },
    { key: "hw_class", title: "class", align: "left", value: ({ hw_class }) => hw_class, only: "programs" },
    {
      key: "kpi",
      title: "KPI",
      align: "left",
      value: ({ reading }) => reading.kpi,
      text: ({ reading }) => reading.title,
    },
  ];
}

const figures: readonly Column<KpiRow>[] = [
  {
    key: "value",
    title: "value",
    align: "right",
    value: ({ reading }) => reading.value,
    text: ({ reading: { value, unit } }) => (value === null ? "–" : `${formatNumber(value)} ${unit}`),
  },
  { key: "unit", title: "unit", align: "left", value: ({ reading }) => reading.unit, only: "programs" },
  { key: "low", title: "low", align: "right", value: ({ reading }) => reading.low, only: "programs" },
  { key: "high", title: "high", align: "right", value: ({ reading }) => reading.high, only: "programs" },
  {
    key: "interval",
    title: "95 % interval",
    align: "right",
    value: () => null,
    text: ({ reading: { low, high } }) =>
      low === null || high === null || low === high ? "" : `${formatNumber(low)} … ${formatNumber(high)}`,
    rank: 2,
    only: "people",
  },
  {
    key: "target",
    title: "target",
    align: "right",
    value: ({ reading }) => reading.target,
    text: (row) => describeLimit(row, "better", row.reading.target),
    rank: 4,
  },
  {
    key: "alert",
    title: "alert",
    align: "right",
    value: ({ reading }) => reading.alert,
    text: (row) => describeLimit(row, "worse", row.reading.alert),
    rank: 3,
  },
  {
    key: "status",
    title: "status",
    align: "left",
    value: ({ reading }) => reading.status,
    text: ({ reading }) => describeStatus(reading),
    paint: ({ reading }, colours) => paintStatus(reading, colours),
  },
  { key: "reason", title: "reason", align: "left", value: ({ reading }) => reading.reason, only: "programs" },
  { key: "also", title: "also", align: "left", value: ({ reading }) => reading.also, only: "programs" },
];

const age: Column<KpiRow> = {
  key: "time",
  title: "age",
  align: "right",
  value: ({ reading }) => (reading.time_us === null ? null : formatTime(reading.time_us)),
  text: ({ reading: { age_s } }) => (age_s === null ? "" : formatAge(age_s)),
  rank: 5,
};

const since: Column<KpiRow> = {
  key: "change",
  title: "since the run before",
  align: "left",
  value: ({ change }) => change?.change ?? null,
  text: describeChange,
  paint: ({ change }, colours) => paintVerdict(change, colours),
};

const why: Column<KpiRow> = {
  key: "",
  title: "why",
  align: "left",
  value: () => null,
  // What disturbed it is told to programs, and by `fleetmark results`: a table has no room for it.
  text: ({ reading: { reason } }) => reason.replace(/:.*$/s, ""),
  rank: 6,
  only: "people",
};

const speaker: Column<KpiRow> = {
  key: "benchmark",
  title: "measured by",
  align: "left",
  value: ({ reading }) => reading.name,
  text: ({ reading: { name, also } }) => (also === "" ? (name ?? "") : `${name} (${also})`),
  paint: (_, colours) => colours.dim,
  rank: 1,
};

/**
 * Lays out KPIs: value, 95 % interval, target, alert threshold, status, age, and the benchmark that speaks for a host.
 */
export function buildKpiTable(rows: readonly KpiRow[], { hasHosts, hasAges }: KpiTableOptions): Table<KpiRow> {
  const hasChanges = rows.some(({ change }) => change !== undefined);
  const hasReasons = rows.some(({ reading }) => reading.reason !== "");
  const columns = [
    ...listIdentity(hasHosts),
    ...figures,
    ...(hasReasons ? [why] : []),
    ...(hasAges ? [age] : []),
    ...(hasChanges ? [since] : []),
    speaker,
  ];
  return { columns, rows };
}

import { formatNumber } from "@fleetmark/shared/model/numbers";
import type { Table } from "../output/table.js";

/** A change of a series, as programs are told of it. */
export interface ChangeRow {
  /** Of the first value of the new level, missing ones counted. */
  readonly index: number;
  readonly time?: string | number;
  readonly before: number;
  readonly after: number;
  /** Null where there was nothing before. */
  readonly change_percent: number | null;
  readonly confidence: number;
  readonly kind: "level" | "line";
}

const sign = (value: number): string => (value > 0 ? "+" : "");

export function buildChangeTable(rows: readonly ChangeRow[]): Table<ChangeRow> {
  const timed = rows.some(({ time }) => time !== undefined);
  return {
    columns: [
      { key: "index", title: "index", align: "right", value: ({ index }) => index },
      ...(timed ? [{ key: "time", title: "time", align: "left", value: ({ time }: ChangeRow) => time ?? null } as const] : []),
      {
        key: "before",
        title: "before",
        align: "right",
        value: ({ before }) => before,
        text: ({ before }) => formatNumber(before),
      },
      { key: "after", title: "after", align: "right", value: ({ after }) => after, text: ({ after }) => formatNumber(after) },
      {
        key: "change_percent",
        title: "change",
        align: "right",
        value: ({ change_percent }) => change_percent,
        text: ({ change_percent: change }) => (change === null ? "" : `${sign(change)}${formatNumber(change)} %`),
      },
      {
        key: "confidence",
        title: "confidence",
        align: "right",
        value: ({ confidence }) => confidence,
        text: ({ confidence }) => confidence.toFixed(3),
        rank: 1,
      },
      { key: "kind", title: "of", align: "left", value: ({ kind }) => kind, rank: 2 },
    ],
    rows,
  };
}

import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import type { Table } from "../output/table.js";
import { hostColumn } from "./results.js";
import { formatMoment, formatTime } from "./times.js";

const describe: Readonly<Record<BaselineRecord["action"], string>> = {
  pin: "pinned",
  unpin: "rolling again",
  accept: "level accepted",
};

/** Lays out what was decided of baselines, by whom, when and why. */
export function buildBaselineTable(rows: readonly BaselineRecord[]): Table<BaselineRecord> {
  return {
    columns: [
      hostColumn(rows),
      { key: "benchmark", title: "benchmark", align: "left", value: ({ name }) => name, isLead: true },
      { key: "action", title: "state", align: "left", value: ({ action }) => action, text: ({ action }) => describe[action] },
      {
        key: "run",
        title: "result of run",
        align: "left",
        value: ({ pinned_result: pinned }) => pinned?.run ?? null,
        text: ({ pinned_result: pinned }) => pinned?.run ?? "",
        rank: 2,
      },
      {
        key: "accepted",
        title: "counts from",
        align: "left",
        value: ({ accepted_us }) => (accepted_us === 0 ? null : formatTime(accepted_us)),
        text: ({ accepted_us }) => (accepted_us === 0 ? "" : formatMoment(accepted_us)),
        rank: 3,
      },
      { key: "by", title: "by", align: "left", value: ({ by }) => by, rank: 1 },
      {
        key: "time",
        title: "decided",
        align: "left",
        value: ({ time_us }) => formatTime(time_us),
        text: ({ time_us }) => formatMoment(time_us),
        rank: 4,
      },
      { key: "reason", title: "why", align: "left", value: ({ reason }) => reason, rank: 5 },
    ],
    rows,
  };
}

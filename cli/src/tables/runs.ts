import type { Run } from "@fleetmark/shared/model/result";
import { formatDuration } from "@fleetmark/shared/model/units";
import type { Table } from "../output/table.js";
import { hostColumn } from "./results.js";
import { formatMoment, formatTime } from "./times.js";

/** Lays out runs, the newest first: which suite ran where and when, and how it ended. */
export function buildRunsTable(rows: readonly Run[]): Table<Run> {
  return {
    columns: [
      { key: "run", title: "run", align: "left", value: ({ run }) => run },
      hostColumn(rows),
      { key: "hw_class", title: "class", align: "left", value: ({ hw_class }) => hw_class, rank: 1 },
      { key: "suite", title: "suite", align: "left", value: ({ suite }) => suite },
      {
        key: "started",
        title: "started",
        align: "left",
        value: ({ started_us }) => formatTime(started_us),
        text: ({ started_us }) => formatMoment(started_us),
      },
      {
        key: "duration_s",
        title: "took",
        align: "right",
        value: ({ duration }) => duration,
        text: ({ duration }) => formatDuration(duration),
        rank: 2,
      },
      { key: "total", title: "of", align: "right", value: ({ total }) => total, only: "programs" },
      {
        key: "completed",
        title: "benchmarks",
        align: "right",
        value: ({ completed }) => completed,
        text: ({ completed, total }) => `${completed} of ${total}`,
      },
      { key: "failed", title: "failed", align: "right", value: ({ failures }) => failures.length, rank: 3 },
      {
        key: "state",
        title: "state",
        align: "left",
        value: ({ state }) => state,
        paint: ({ state }, colours) => (state === "finished" ? colours.green : colours.yellow),
      },
    ],
    rows,
  };
}

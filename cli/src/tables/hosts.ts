import type { Host } from "../client/source.js";
import type { Table } from "../output/table.js";
import { formatSince, formatTime } from "./times.js";

export interface HostsTableOptions {
  readonly nowUs: number;
  /** Only a running collector knows which hosts are attached. */
  readonly isRunning: boolean;
}

function describeRun({ progress }: Host): string {
  return progress === null ? "" : `${progress.suite}, ${progress.completed} of ${progress.total}`;
}

/** Lays out hosts: whether they are here, when they were last heard of, their class, and the run under way. */
export function buildHostsTable(rows: readonly Host[], { nowUs, isRunning }: HostsTableOptions): Table<Host> {
  const describeState = ({ attached }: Host): string => (isRunning ? (attached ? "attached" : "away") : "not known");
  return {
    columns: [
      { key: "host", title: "host", align: "left", value: ({ host }) => host, least: 12 },
      {
        key: "state",
        title: "state",
        align: "left",
        value: describeState,
        paint: ({ attached }, colours) => (attached ? colours.green : colours.yellow),
      },
      {
        key: "last_seen",
        title: "last heard of",
        align: "right",
        value: ({ last_seen_us }) => formatTime(last_seen_us),
        text: ({ last_seen_us }) => formatSince(last_seen_us, nowUs),
      },
      { key: "hw_class", title: "class", align: "left", value: ({ hw_class }) => hw_class, least: 12, rank: 3 },
      { key: "version", title: "agent", align: "left", value: ({ version }) => version, rank: 1 },
      { key: "run", title: "run under way", align: "left", value: describeRun, rank: 4 },
      {
        key: "refused",
        title: "refused",
        align: "right",
        value: ({ batches_rejected, samples_refused }) => batches_rejected + samples_refused,
        rank: 2,
      },
    ],
    rows,
  };
}

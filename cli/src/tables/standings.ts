import type { HostStanding, PeerComparison } from "@fleetmark/shared/judgement/peers/slow-hosts";
import { formatQuantity } from "@fleetmark/shared/model/numbers";
import type { Table } from "../output/table.js";
import { formatShift, formatSigned } from "./verdicts.js";

/** Lays out how benchmarks of a host stand among those of its peers, the slowest first. */
export function buildPeerTable(rows: readonly PeerComparison[]): Table<PeerComparison> {
  return {
    columns: [
      { key: "benchmark", title: "benchmark", align: "left", value: ({ name }) => name, isLead: true },
      {
        key: "here",
        title: "here",
        align: "right",
        value: ({ after }) => after,
        text: ({ after, unit }) => formatQuantity({ unit }, after),
      },
      {
        key: "peers_median",
        title: "at its peers",
        align: "right",
        value: ({ before }) => before,
        text: ({ before, unit }) => formatQuantity({ unit }, before),
        rank: 2,
      },
      {
        key: "change",
        title: "slower by",
        align: "right",
        value: ({ change }) => change,
        text: (compared) => formatShift(compared, compared.change),
      },
      { key: "peers", title: "peers", align: "right", value: ({ peers }) => peers, rank: 1 },
      {
        key: "verdict",
        title: "verdict",
        align: "left",
        value: ({ isSlow }) => (isSlow ? "slow" : "as its peers"),
        paint: ({ isSlow }, colours) => (isSlow ? colours.red : (text) => text),
      },
    ],
    rows,
  };
}

/** A host among those of its class. */
export type StandingRow = HostStanding & { readonly hw_class: string };

/** Lays out hosts by how much slower they are than their peers. */
export function buildStandingTable(rows: readonly StandingRow[]): Table<StandingRow> {
  return {
    columns: [
      { key: "host", title: "host", align: "left", value: ({ host }) => host, isLead: true },
      { key: "hw_class", title: "class", align: "left", value: ({ hw_class }) => hw_class, rank: 1 },
      { key: "peers", title: "peers", align: "right", value: ({ peers }) => peers },
      {
        key: "slow",
        title: "slow in",
        align: "right",
        value: ({ comparisons }) => comparisons.filter(({ isSlow }) => isSlow).length,
        text: ({ comparisons }) => `${comparisons.filter(({ isSlow }) => isSlow).length} of ${comparisons.length}`,
      },
      {
        key: "change",
        title: "by",
        align: "right",
        value: ({ change }) => change,
        text: ({ change, isSlow }) => (isSlow ? `${formatSigned(change)} %` : ""),
      },
      {
        key: "worst",
        title: "worst",
        align: "left",
        value: ({ comparisons }) => findWorst(comparisons)?.name ?? null,
        text: ({ comparisons }) => findWorst(comparisons)?.name ?? "",
        rank: 2,
      },
    ],
    rows,
  };
}

function findWorst(comparisons: readonly PeerComparison[]): PeerComparison | undefined {
  return comparisons.filter(({ isSlow }) => isSlow).sort((a, b) => b.change - a.change)[0];
}

import type { campaignAnswer, kpisAnswer } from "@fleetmark/shared/api/answers";
import type { AgedKpi } from "@fleetmark/shared/judgement/freshness";
import { kpis as catalogue } from "@fleetmark/shared/model/kpis";
import type { Run } from "@fleetmark/shared/model/result";
import { formatDuration } from "@fleetmark/shared/model/units";
import type { z } from "zod";
import type { Host } from "../client/source.js";
import type { Table } from "../output/table.js";
import type { Colors } from "../output/terminal.js";
import { escapeControls } from "../output/width.js";
import { describeStatus } from "./kpis.js";
import { formatSince, formatTime } from "./times.js";

export type HostKpis = z.infer<typeof kpisAnswer>[number];
export type CampaignShown = z.infer<typeof campaignAnswer>;

/** A host of the fleet with all that is known of its runs. */
export interface FleetRow {
  readonly host: Host;
  readonly lastRun: Run | undefined;
  readonly worst: AgedKpi | undefined;
}

/** How bad a status is, the worst first. */
const order: readonly AgedKpi["status"][] = ["alert", "missed", "undecided", "stale", "ok", "missing"];

/** Joins what is known of hosts. */
export function joinFleet(hosts: readonly Host[], runs: readonly Run[], kpis: readonly HostKpis[]): FleetRow[] {
  const lastRuns = new Map(runs.map((run) => [run.host, run]));
  const ofHosts = new Map(kpis.map((each) => [each.host, each]));
  return hosts.map((host) => {
    const aged = ofHosts.get(host.host)?.kpis ?? [];
    const worst = aged.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status))[0];
    return { host, lastRun: lastRuns.get(host.host), worst: worst?.status === "missing" ? undefined : worst };
  });
}

/** Why a run that waits on the host has not begun; empty where none does. */
export function findWaitReason({ host: { progress, outlook } }: FleetRow): string {
  return progress === null && outlook !== null ? outlook.waits_for : "";
}

function describeWork(row: FleetRow): string {
  const { progress } = row.host;
  if (progress !== null) return `${progress.suite}, ${progress.completed} of ${progress.total}`;
  const reason = findWaitReason(row);
  return reason === "" ? "" : `waits: ${reason}`;
}

function describeLastRun({ lastRun }: FleetRow, nowUs: number): string {
  if (lastRun === undefined) return "none";
  const state = lastRun.state === "finished" ? "" : `, ${lastRun.state}`;
  return `${lastRun.suite} ${formatSince(lastRun.time_us, nowUs)}${state}`;
}

function describeNextRun({ host: { outlook } }: FleetRow, nowUs: number): string {
  if (outlook === null || outlook.next_run_us === 0) return "";
  return `${outlook.next_suite} in ${formatDuration(Math.max(0, (outlook.next_run_us - nowUs) / 1e6))}`;
}

function describeWorst({ worst }: FleetRow): string {
  if (worst === undefined) return "none measured";
  return worst.status === "ok"
    ? "all ok"
    : `${catalogue.find(({ id }) => id === worst.kpi)?.title ?? worst.kpi}: ${describeStatus(worst)}`;
}

function paintWorst({ worst }: FleetRow, colours: Colors): (text: string) => string {
  if (worst === undefined) return colours.dim;
  if (worst.status === "ok") return colours.green;
  return worst.status === "alert" ? colours.red : colours.yellow;
}

/** Lays out the fleet: who is here, what each host did last, does now and does next, and how it stands. */
export function buildFleetTable(rows: readonly FleetRow[], nowUs: number): Table<FleetRow> {
  return {
    columns: [
      { key: "host", title: "host", align: "left", value: ({ host }) => host.host, least: 10 },
      {
        key: "state",
        title: "state",
        align: "left",
        value: ({ host }) => (host.attached ? "attached" : "away"),
        text: ({ host }) => (host.attached ? "here" : `away ${formatSince(host.last_seen_us, nowUs)}`),
        paint: ({ host }, colours) => (host.attached ? colours.green : colours.yellow),
      },
      {
        key: "now",
        title: "now",
        align: "left",
        value: describeWork,
        text: (row) => (findWaitReason(row) === "" ? describeWork(row) : "waits"),
        rank: 4,
      },
      {
        key: "last_run",
        title: "last run",
        align: "left",
        value: ({ lastRun }) => (lastRun === undefined ? null : formatTime(lastRun.time_us)),
        text: (row) => describeLastRun(row, nowUs),
        rank: 3,
      },
      {
        key: "next_run",
        title: "next run",
        align: "left",
        value: ({ host: { outlook } }) =>
          outlook === null || outlook.next_run_us === 0 ? null : formatTime(outlook.next_run_us),
        text: (row) => describeNextRun(row, nowUs),
        rank: 2,
      },
      { key: "worst_kpi", title: "worst KPI", align: "left", value: describeWorst, paint: paintWorst },
      { key: "hw_class", title: "class", align: "left", value: ({ host }) => host.hw_class, least: 10, rank: 1 },
      { key: "version", title: "agent", align: "left", value: ({ host }) => host.version, rank: 0 },
    ],
    rows,
  };
}

type OnHost = CampaignShown["on_hosts"][number];

/** Lays out what became of a campaign on each host. */
export function buildCampaignTable(rows: readonly OnHost[]): Table<OnHost> {
  const paint = ({ state }: OnHost, colours: Colors): ((text: string) => string) =>
    state === "finished" ? colours.green : colours.yellow;
  return {
    columns: [
      { key: "host", title: "host", align: "left", value: ({ host }) => host, least: 10 },
      { key: "state", title: "state", align: "left", value: ({ state }) => state, paint },
      { key: "run", title: "run", align: "left", value: ({ run }) => run, rank: 1 },
      { key: "reason", title: "why", align: "left", value: ({ reason }) => reason, least: 20 },
    ],
    rows,
  };
}

/** Says how far a campaign is: `12 of 40 finished, 3 under way, 2 away; paused: the alert Agent down fires`. */
export function describeCounts({
  counts,
  total,
  state,
  paused,
}: Pick<CampaignShown, "counts" | "total" | "state" | "paused">): string {
  const words: Readonly<Record<string, string>> = {
    waiting: "to be asked",
    asked: "asked",
    taken: "under way or waiting",
    yielded: "gave way",
  };
  const others = Object.entries(counts).filter(([state]) => state !== "finished");
  const parts = others.map(([state, count]) => `${count} ${words[state] ?? state}`);
  const held = state === "running" && paused !== "" ? `; paused: ${escapeControls(paused)}` : "";
  return `${[`${counts.finished ?? 0} of ${total} finished`, ...parts].join(", ")}${held}`;
}

import type { alertsAnswer } from "@fleetmark/shared/api/answers";
import { formatNumber } from "@fleetmark/shared/model/numbers";
import type { SilenceRecord } from "@fleetmark/shared/records/alert";
import type { z } from "zod";
import type { Table } from "../../output/table.js";
import type { Colors } from "../../output/terminal.js";
import { formatMoment, formatTime } from "../../tables/times.js";

type Alert = z.infer<typeof alertsAnswer>[number];

function paintState({ state, severity, muted }: Alert, colours: Colors): (text: string) => string {
  if (state === "resolved" || muted !== "") return colours.dim;
  if (state === "pending") return colours.yellow;
  return severity === "critical" ? (text) => colours.bold(colours.red(text)) : colours.yellow;
}

function describeState({ state, muted }: Alert): string {
  return state === "firing" && muted !== "" ? "muted" : state;
}

/** Lays out alerts: what, where, how bad, since when. */
export function buildAlertTable(rows: readonly Alert[]): Table<Alert> {
  return {
    columns: [
      { key: "alert", title: "alert", align: "left", value: ({ alert }) => alert, isLead: true },
      { key: "host", title: "host", align: "left", value: ({ labels }) => labels.host ?? "" },
      { key: "state", title: "state", align: "left", value: ({ state }) => state, text: describeState, paint: paintState },
      { key: "severity", title: "severity", align: "left", value: ({ severity }) => severity, rank: 4 },
      {
        key: "value",
        title: "value",
        align: "right",
        value: ({ value }) => value,
        text: ({ value }) => formatNumber(value),
        rank: 5,
      },
      {
        key: "since",
        title: "since",
        align: "left",
        value: ({ since_us }) => formatTime(since_us),
        text: ({ since_us }) => formatMoment(since_us),
        rank: 3,
      },
      { key: "summary", title: "what", align: "left", value: ({ summary }) => summary, rank: 1 },
      { key: "muted", title: "muted by", align: "left", value: ({ muted }) => muted, only: "programs" },
    ],
    rows,
  };
}

/** What a silence is of, in words. */
export function describeMatchers({ matchers }: Pick<SilenceRecord, "matchers">): string {
  return Object.entries(matchers)
    .map(([label, glob]) => `${label}=${glob}`)
    .join(" ");
}

/** Lays out silences: of what, until when, by whom and why. */
export function buildSilenceTable(rows: readonly SilenceRecord[]): Table<SilenceRecord> {
  return {
    columns: [
      { key: "id", title: "id", align: "left", value: ({ id }) => id },
      { key: "matchers", title: "of", align: "left", value: describeMatchers, isLead: true },
      {
        key: "until",
        title: "until",
        align: "left",
        value: ({ until_us }) => formatTime(until_us),
        text: ({ until_us }) => formatMoment(until_us),
      },
      { key: "by", title: "by", align: "left", value: ({ by }) => by, rank: 2 },
      { key: "reason", title: "why", align: "left", value: ({ reason }) => reason, rank: 1 },
    ],
    rows,
  };
}

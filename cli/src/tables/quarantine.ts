import type { QuarantineEntry, ShownSample } from "@fleetmark/collector";
import { formatBytes, formatNumber } from "@fleetmark/shared/model/numbers";
import type { Table } from "../output/table.js";
import { formatMoment, formatTime } from "./times.js";

/** Lays out what lies in quarantine: when it came, from whom, and why it was rejected. */
export function buildQuarantineTable(rows: readonly QuarantineEntry[]): Table<QuarantineEntry> {
  return {
    columns: [
      { key: "id", title: "id", align: "left", value: ({ id }) => id },
      {
        key: "time",
        title: "came",
        align: "left",
        value: ({ timeUs }) => formatTime(timeUs),
        text: ({ timeUs }) => formatMoment(timeUs),
        rank: 1,
      },
      { key: "host", title: "host", align: "left", value: ({ host }) => host, least: 8 },
      { key: "code", title: "why", align: "left", value: ({ code }) => code },
      { key: "kind", title: "what", align: "left", value: ({ kind }) => kind, rank: 3 },
      {
        key: "bytes",
        title: "size",
        align: "right",
        value: ({ bytes }) => bytes,
        text: ({ bytes }) => formatBytes(bytes),
        rank: 2,
      },
      {
        key: "state",
        title: "state",
        align: "left",
        value: ({ isWaiting }) => (isWaiting ? "to be taken in" : "kept"),
        rank: 4,
      },
    ],
    rows,
  };
}

function formatSeries({ measurement, tags }: ShownSample): string {
  const pairs = Object.entries(tags).filter(([key]) => key !== "host");
  return [measurement, ...pairs.map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** Lays out samples that were rejected, each with its reason. */
export function buildSamplesTable(rows: readonly ShownSample[]): Table<ShownSample> {
  return {
    columns: [
      { key: "series", title: "series", align: "left", value: formatSeries, isLead: true, least: 12 },
      { key: "field", title: "field", align: "left", value: ({ field }) => field },
      { key: "time", title: "time (UTC)", align: "left", value: ({ time_us }) => formatSampleTime(time_us) },
      {
        key: "value",
        title: "value",
        align: "right",
        value: ({ value }) => value,
        text: ({ value }) => (typeof value === "number" ? formatNumber(value) : value.slice(0, 40)),
      },
      { key: "code", title: "why", align: "left", value: ({ code, fault }) => (fault === "" ? code : fault) },
    ],
    rows,
  };
}

/** A time may be any number: what no calendar holds is shown as it is. */
function formatSampleTime(timeUs: number): string {
  return Math.abs(timeUs) <= 8.64e18 ? formatTime(timeUs) : `${timeUs} µs`;
}

import { alertRecord, notificationRecord, silenceRecord } from "./alert.js";
import { auditRecord } from "./audit.js";
import { baselineRecord } from "./baseline.js";
import { campaignRecord } from "./campaign.js";
import { commandRecord } from "./command.js";
import { introductionRecord } from "./introduction.js";
import { kpiRecord } from "./kpi.js";
import type { RecordKind } from "./record-kind.js";
import { resultRecord } from "./result.js";
import { runRecord } from "./run.js";
import { runWindowRecord } from "./run-window.js";
import { skippedRunRecord } from "./skipped-run.js";
import { verdictRecord } from "./verdict.js";
import { verdictMarkRecord } from "./verdict-mark.js";

/** Every kind of record, by measurement. */
export const recordKinds: readonly RecordKind<unknown>[] = [
  resultRecord,
  runRecord,
  runWindowRecord,
  kpiRecord,
  introductionRecord,
  skippedRunRecord,
  commandRecord,
  campaignRecord,
  auditRecord,
  verdictRecord,
  baselineRecord,
  verdictMarkRecord,
  alertRecord,
  silenceRecord,
  notificationRecord,
];

/** Kinds that agents send in their batches: what of them is not whole is refused. */
export const sentKinds = recordKinds.filter(({ origin }) => origin === "batch");

/**
 * Measurements that are records from end to end, and kept as long. The order is that of what InfluxDB is set up with:
 * a change of it would be a change of every server's setup.
 */
export const recordMeasurements: readonly string[] = recordKinds
  .filter(({ ownFields }) => ownFields === undefined)
  .map(({ measurement }) => measurement);

/** Kinds whose measurement carries telemetry too. */
export const mixedKinds = recordKinds.filter(({ ownFields }) => ownFields !== undefined);

const records = new Set(recordMeasurements);
const mixed = new Set(mixedKinds.map(({ measurement }) => measurement));

/** Whether all points of a measurement are records. */
export function isRecord(measurement: string): boolean {
  return records.has(measurement);
}

/**
 * Whether samples of a measurement are those of records: all of a record's, and the texts where telemetry shares the
 * measurement.
 */
export function belongsToRecord(measurement: string, kind: "numbers" | "texts"): boolean {
  return records.has(measurement) || (kind === "texts" && mixed.has(measurement));
}

import { mixedKinds, recordMeasurements } from "@fleetmark/shared/records/registry";
import { deliveryMeasurement } from "../retention.js";
import { policies, quoteName } from "./server/policies.js";

/** Measurements that are kept whole, as a pattern. */
export const wholeMeasurements = [...recordMeasurements, deliveryMeasurement].join("|");

/** The nightly roll-up looks back so far for samples that came late. */
export const rollupLookback = "3d";

/** What an hour of a field is rolled up to. */
const hourlySelection = "mean(*), min(*), max(*), last(*), count(*), median(*), percentile(*, 95)";

/** Asks for the hours of a measurement. */
export function selectHours(source: string, conditions: readonly string[]): string {
  return `SELECT ${hourlySelection} FROM ${source} WHERE ${[`"suite" = ''`, ...conditions].join(" AND ")} GROUP BY time(1h), *`;
}

/**
 * Rolls up by hour. Records carry a suite, telemetry does not: InfluxQL has no pattern for «all measurements but
 * these».
 */
export function rollupSelect(database: string, defaultPolicy: string, conditions: readonly string[]): string {
  const [from, into] = [defaultPolicy, policies.hourly].map((policy) => `${quoteName(database)}.${quoteName(policy)}`);
  const where = [`"suite" = ''`, ...conditions].join(" AND ");
  return `SELECT ${hourlySelection} INTO ${into}.:MEASUREMENT FROM ${from}./.*/ WHERE ${where} GROUP BY time(1h), *`;
}

/** Copies what is kept whole, from a time on, to where it is kept longer. */
export function copyRecordsSelects(database: string, defaultPolicy: string, fromUs: number): string[] {
  const [from, into] = [defaultPolicy, policies.records].map((policy) => `${quoteName(database)}.${quoteName(policy)}`);
  const where = `WHERE time >= ${fromUs}u GROUP BY *`;
  return [
    `SELECT * INTO ${into}.:MEASUREMENT FROM ${from}./^(${wholeMeasurements})$/ ${where}`,
    ...mixedKinds.map(({ measurement, ownFields = [] }) => {
      return `SELECT ${ownFields.map(quoteName).join(", ")} INTO ${into}.:MEASUREMENT FROM ${from}.${quoteName(measurement)} ${where}`;
    }),
  ];
}

/** A statement that rolls up a fleet's day, or copies years of records, is waited for. */
export const rollupTimeoutMs = 600_000;

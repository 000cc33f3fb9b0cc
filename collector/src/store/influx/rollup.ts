import { deliveryMeasurement, recordMeasurements } from "../retention.js";

/**
 * Where on a server things are kept longer than telemetry, as retention policies of one database (1.x) or as buckets that DBRP mappings make
 * ones (2.x): `FROM "hourly"."cpu"` reads on both. Everything arrives in the database's own, default place too.
 */
export const places = { hourly: "hourly", records: "records" } as const;
export type Place = keyof typeof places;

export function quoteName(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&")}"`;
}

export function quoteText(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n")}'`;
}

/** Names a measurement where it is kept; without a place, in the default one. */
export function quoteSource(measurement: string, place?: Place): string {
  return place === undefined ? quoteName(measurement) : `${quoteName(places[place])}.${quoteName(measurement)}`;
}

/** Measurements that are kept whole, as a pattern. */
export const wholeMeasurements = [...recordMeasurements, deliveryMeasurement].join("|");

/** Fields of `agent` by which hosts introduce themselves: its texts, which are kept with the records. */
export const introductionFields = ["version", "hardware_class", "inventory"] as const;

/** The nightly roll-up looks back so far for samples that came late. */
export const rollupLookback = "3d";

/** Rolls up by hour. Records carry a suite, telemetry does not: InfluxQL has no pattern for «all measurements but these». */
export function rollupSelect(database: string, defaultPolicy: string, conditions: readonly string[]): string {
  const [from, into] = [defaultPolicy, places.hourly].map((policy) => `${quoteName(database)}.${quoteName(policy)}`);
  const where = [`"suite" = ''`, ...conditions].join(" AND ");
  return `SELECT mean(*), min(*), max(*), last(*), count(*), median(*), percentile(*, 95) INTO ${into}.:MEASUREMENT FROM ${from}./.*/ WHERE ${where} GROUP BY time(1h), *`;
}

/** Copies what is kept whole, from a time on, to where it is kept longer. */
export function copyRecordsSelects(database: string, defaultPolicy: string, fromUs: number): string[] {
  const [from, into] = [defaultPolicy, places.records].map((policy) => `${quoteName(database)}.${quoteName(policy)}`);
  const where = `WHERE time >= ${fromUs}u GROUP BY *`;
  return [
    `SELECT * INTO ${into}.:MEASUREMENT FROM ${from}./^(${wholeMeasurements})$/ ${where}`,
    `SELECT ${introductionFields.map(quoteName).join(", ")} INTO ${into}.:MEASUREMENT FROM ${from}."agent" ${where}`,
  ];
}

/** A statement that rolls up a fleet's day, or copies years of records, is waited for. */
export const rollupTimeoutMs = 600_000;

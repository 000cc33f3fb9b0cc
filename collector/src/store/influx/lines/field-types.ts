import type { Series } from "@fleetmark/shared/model/series";
import { hourlyFields } from "../../retention.js";
import type { InfluxServer } from "../server/connection.js";
import { quoteName } from "../server/policies.js";
import type { InfluxTarget } from "../server/target.js";
import { isTelegrafInteger, sharedMeasurements } from "./telegraf-integers.js";

/**
 * The types of numbers in a store. A field has one, that of the first who wrote it: an integer where Telegraf was
 * there, or where it is Telegraf's field and nobody was; a float in stores of former versions, and of all that is ours
 * alone.
 *
 *   what the server says at the start ──┐
 *   what it says of a conflict ─────────┼──► the type that it has ──► else Telegraf's ──► else float
 */
export interface FieldTypes {
  /** As the server has them, by measurement and field. */
  readonly stored: Map<string, string>;
}

export function createFieldTypes(): FieldTypes {
  return { stored: new Map() };
}

const keyOf = (measurement: string, field: string): string => `${measurement} ${field}`;

/** What follows a whole number of each type (line protocol, "Data types and format"). */
const suffixes: Readonly<Record<string, string>> = { integer: "i", unsigned: "u" };

/** Returns what follows a whole number in a field of a series. */
export function findSuffix({ stored }: FieldTypes, { measurement, field }: Series): string {
  const type = stored.get(keyOf(measurement, field));
  if (type !== undefined) return suffixes[type] ?? "";
  return isTelegrafInteger(measurement, field) ? "i" : "";
}

/** What of the samples of an hour is one of them, and has their type. */
const selectors = [hourlyFields.min, hourlyFields.max, hourlyFields.last, hourlyFields.p95];

/**
 * Returns what follows a whole number in a field of an hour. Hours that the server has rolled up (1.x) have integers
 * where they count, and where they hold one of many integers; those that we have (2.x) have floats.
 */
export function findHourlySuffix(types: FieldTypes, { org }: Pick<InfluxTarget, "org">, series: Series): string {
  if (org !== "") return "";
  if (series.field.startsWith(hourlyFields.count)) return "i";
  const selector = selectors.find((prefix) => series.field.startsWith(prefix));
  return selector === undefined ? "" : findSuffix(types, { ...series, field: series.field.slice(selector.length) });
}

/** Learns what types the server has. One that can't say so says it of each conflict. */
export async function readFieldTypes(types: FieldTypes, server: InfluxServer): Promise<void> {
  const from = sharedMeasurements.map(quoteName).join(", ");
  const answers = await server.query(`SHOW FIELD KEYS FROM ${from}`).catch(() => []);
  for (const { name = "", columns, values } of answers) {
    const [field, type] = [columns.indexOf("fieldKey"), columns.indexOf("fieldType")];
    for (const row of values) types.stored.set(keyOf(name, String(row[field])), String(row[type]));
  }
}

/** How InfluxDB 1.x and 2.x say that a field has another type. */
const conflict = /input field "([^"]+)" on measurement "([^"]+)" is type \w+, already exists as type (\w+)/g;

/** Learns from what a server says of lines that it refused. Returns whether that was news. */
export function learnConflicts({ stored }: FieldTypes, reason: string): boolean {
  let isNews = false;
  for (const [, field, measurement, type] of reason.matchAll(conflict)) {
    const key = keyOf(measurement, field);
    if (!["float", "integer", "unsigned"].includes(type) || stored.get(key) === type) continue;
    stored.set(key, type);
    isNews = true;
  }
  return isNews;
}

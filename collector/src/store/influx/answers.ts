import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { canonicalTags, type Point } from "@fleetmark/shared/model/series";
import { sortNewestFirst } from "../ordering.js";
import { hourlyFields } from "../retention.js";
import type { Chunk } from "../store.js";
import type { InfluxServer } from "./server/connection.js";
import { type PolicyName, policies, quoteName, quoteText } from "./server/policies.js";
import type { AnsweredSeries } from "./server/queries.js";

/** What questions of every sort share: conditions, and what answers are turned into. */

/** Measurements by which we look after the store itself: no part of what it holds. */
export const ownMeasurements = {
  check: "fleetmark_check",
  rollUp: "fleetmark_rollup",
  late: "fleetmark_late",
  setup: "fleetmark_setup",
} as const;
const isOwn: ReadonlySet<string> = new Set(Object.values(ownMeasurements));

/** Returns a WHERE clause of conditions, or nothing without any. */
export function where(tags: Readonly<Record<string, string | undefined>>, more: readonly string[] = []): string {
  const conditions = Object.entries(tags).flatMap(([key, value]) =>
    value === undefined ? [] : [`${quoteName(key)} = ${quoteText(value)}`],
  );
  const all = [...more, ...conditions];
  return all.length === 0 ? "" : ` WHERE ${all.join(" AND ")}`;
}

/** Tags of an answer; those that its series lacks come as empty texts. */
export function readTags(series: AnsweredSeries): Record<string, string> {
  return JSON.parse(canonicalTags(series.tags ?? {}));
}

/** Reads every row as a point; what is null is a field that the point lacks. The newest first. */
export function readPoints(answers: readonly AnsweredSeries[]): Point[] {
  const points = answers.flatMap((series) => {
    const tags = readTags(series);
    return series.values.map((row): Point => {
      const fields: Record<string, number | string> = {};
      series.columns.forEach((column, i) => {
        const value = row[i];
        if (i > 0 && (typeof value === "number" || typeof value === "string")) fields[column] = value;
      });
      return { measurement: series.name, tags, timeUs: Number(row[0]), fields };
    });
  });
  return sortNewestFirst(points);
}

/** Returns the policy that keeps records: one of their own once there is one, else the default one. */
export async function findRecordsPolicy(server: InfluxServer): Promise<PolicyName | undefined> {
  return (await server.hasPolicy("records")) ? "records" : undefined;
}

/**
 * Lists measurements, also those of which only records or hours are left: InfluxDB 2.x tells of those of one bucket
 * at a time, its ancestor of all.
 */
export async function listMeasurements(server: InfluxServer): Promise<string[]> {
  const statements = ["SHOW MEASUREMENTS"];
  if ((await server.identify()) === "2") {
    for (const policy of ["records", "hourly"] as const) {
      if (await server.hasPolicy(policy))
        statements.push(`SHOW MEASUREMENTS ON ${quoteName(server.database)}.${quoteName(policies[policy])}`);
    }
  }
  const answers = (await server.queryEach(statements)).flat();
  const names = answers.flatMap(({ values }) => values.map(([name]) => String(name)));
  return [...new Set(names)].filter((name) => !isOwn.has(name));
}

/**
 * Turns rows into a chunk. Texts of hours, which InfluxQL gives a last value too, are left out as the roll-up of a
 * data file does.
 */
export function toChunk(answers: readonly AnsweredSeries[], kind: Chunk["kind"]): Chunk {
  const builder = new BatchBuilder();
  let skipped = 0;
  for (const { name, tags, columns, values } of answers) {
    const known = JSON.parse(canonicalTags(tags ?? {}));
    const isNumeric = columns.map((column) => columns.includes(hourlyFields.mean + column.slice(column.indexOf("_") + 1)));
    for (const row of values) {
      const fields: Record<string, number | string> = {};
      for (let i = 1; i < columns.length; i++) {
        const value = row[i];
        if (value === null || (kind === "hours" && !isNumeric[i])) continue;
        if (typeof value === "boolean") skipped++;
        else fields[columns[i]] = value;
      }
      builder.add({ measurement: name, tags: known, timeUs: Number(row[0]), fields });
    }
  }
  return { kind, samples: builder.build({ host: "", epochUs: 0, sequence: 1 }), skipped };
}

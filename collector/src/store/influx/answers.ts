import { canonicalTags, type Point } from "@fleetmark/shared/model/series";
import { sortNewestFirst } from "../ordering.js";
import type { InfluxServer } from "./server/connection.js";
import { type PolicyName, quoteName, quoteText } from "./server/policies.js";
import type { AnsweredSeries } from "./server/queries.js";

/** What questions of every sort share: conditions, and what answers are turned into. */

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

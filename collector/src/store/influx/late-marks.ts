import { hourUs } from "../retention.js";
import { ownMeasurements } from "./answers.js";
import type { LateRange } from "./late-hours.js";
import { formatHead } from "./lines/line-protocol.js";
import type { InfluxServer } from "./server/connection.js";
import { quoteSource } from "./server/policies.js";
import { throwRefused, writeLines } from "./writes.js";

/**
 * Hours that wait to be rolled up again, remembered in the store (2.x): a collector that is killed within that minute
 * leaves them to the next. A mark is written after its samples and before their acknowledgement, and struck out after
 * the roll-up:
 *
 *   fleetmark_late,host=h1 pending=1 <a moment of the hour>
 *
 * The moment is chosen by chance, so that no two collectors, and no two times that an hour waits, share a mark.
 */
export interface LateMark {
  readonly host: string;
  readonly timeUs: number;
}

/** Returns a mark for each hour of the ranges. */
export function createMarks(ranges: readonly LateRange[]): LateMark[] {
  const marks: LateMark[] = [];
  for (const { host, fromUs, toUs } of ranges) {
    for (let at = fromUs; at < toUs; at += hourUs) marks.push({ host, timeUs: at + Math.floor(Math.random() * hourUs) });
  }
  return marks;
}

export async function writeMarks(server: InfluxServer, marks: readonly LateMark[], isPending: boolean): Promise<void> {
  const lines = marks.map(({ host, timeUs }) => {
    return `${formatHead({ measurement: ownMeasurements.late, tags: { host }, field: "" })} pending=${isPending ? 1 : 0} ${timeUs}`;
  });
  await writeLines(server, lines, throwRefused, "hourly");
}

/** Reads the marks that no collector has struck out. */
export async function readMarks(server: InfluxServer): Promise<LateMark[]> {
  const found = await server.query(
    `SELECT "pending" FROM ${quoteSource(ownMeasurements.late, "hourly")} WHERE "pending" = 1 GROUP BY "host"`,
  );
  return found.flatMap(({ tags, values }) => values.map(([timeUs]) => ({ host: tags?.host ?? "", timeUs: Number(timeUs) })));
}

export function toRange({ host, timeUs }: LateMark): LateRange {
  const fromUs = Math.floor(timeUs / hourUs) * hourUs;
  return { host, fromUs, toUs: fromUs + hourUs };
}

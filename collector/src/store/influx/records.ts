import type { Point } from "@fleetmark/shared/model/series";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { runRecord } from "@fleetmark/shared/records/run";
import { decodeRecords, identify } from "../records.js";
import { deliveryMeasurement, hourUs } from "../retention.js";
import type { NewestFilter, TagFilter } from "../store.js";
import { findRecordsPolicy, readPoints, where } from "./answers.js";
import type { InfluxServer } from "./server/connection.js";
import { quoteName, quoteSource, quoteText } from "./server/policies.js";

/** Questions about records of any kind. */

/** Selects records of a kind; where telemetry shares the measurement, the fields of records alone. */
async function selectFrom(server: InfluxServer, { measurement, ownFields }: RecordKind<unknown>): Promise<string> {
  const fields = ownFields === undefined ? "*" : ownFields.map(quoteName).join(", ");
  return `SELECT ${fields} FROM ${quoteSource(measurement, await findRecordsPolicy(server))}`;
}

export async function readLatest<R>(server: InfluxServer, kind: RecordKind<R>, tags: TagFilter): Promise<R[]> {
  const answers = await server.query(`${await selectFrom(server, kind)}${where(tags)} GROUP BY * ORDER BY time DESC LIMIT 1`);
  const latest = new Map<string, Point>();
  for (const point of readPoints(answers)) {
    const key = identify(kind, point.tags);
    if (!latest.has(key)) latest.set(key, point);
  }
  return decodeRecords(kind, [...latest.values()]);
}

/** How far from its run's own time a result may be stamped: clocks are set. */
const clockSlackUs = 24 * hourUs;

/** Run ids are fields, which InfluxDB does not index: the run, if it has ended, tells where in time its records are. */
async function findTimeOfRun(server: InfluxServer, run: string): Promise<string[]> {
  const source = quoteSource(runRecord.measurement, await findRecordsPolicy(server));
  const answers = await server.query(`SELECT "started_us" FROM ${source} WHERE "run" = ${quoteText(run)}`);
  const rows = answers.flatMap(({ values }) => values);
  if (rows.length === 0) return [];
  const started = Math.min(...rows.map(([timeUs, startedUs]) => Math.min(Number(timeUs), Number(startedUs))));
  const ended = Math.max(...rows.map(([timeUs]) => Number(timeUs)));
  return [`time >= ${started - clockSlackUs}u`, `time <= ${ended + clockSlackUs}u`];
}

export async function findByText<R>(server: InfluxServer, kind: RecordKind<R>, field: string, text: string): Promise<R[]> {
  const isOfRun = field === kind.runField && kind.measurement !== runRecord.measurement;
  const times = isOfRun ? await findTimeOfRun(server, text) : [];
  const condition = where({}, [`${quoteName(field)} = ${quoteText(text)}`, ...times]);
  return decodeRecords(kind, readPoints(await server.query(`${await selectFrom(server, kind)}${condition} GROUP BY *`)));
}

export async function readNewest<R>(
  server: InfluxServer,
  kind: RecordKind<R>,
  { tags, beforeUs, limit }: NewestFilter,
): Promise<R[]> {
  const condition = where(tags, beforeUs === undefined ? [] : [`time < ${beforeUs}u`]);
  const answers = await server.query(
    `${await selectFrom(server, kind)}${condition} GROUP BY * ORDER BY time DESC LIMIT ${limit}`,
  );
  return decodeRecords(kind, readPoints(answers).slice(0, limit));
}

export async function readReceived(server: InfluxServer): Promise<Map<string, number>> {
  const source = quoteSource(deliveryMeasurement, await findRecordsPolicy(server));
  const deliveries = await server.query(`SELECT max("received_us") FROM ${source} GROUP BY "host"`);
  return new Map(deliveries.map((series) => [series.tags?.host ?? "", Number(series.values[0]?.[1] ?? 0)]));
}

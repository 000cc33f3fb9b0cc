import { isRecord } from "@fleetmark/shared/records/registry";
import { deliveryMeasurement, hourUs } from "../retention.js";
import { listMeasurements, ownMeasurements, toChunk } from "./answers.js";
import { formatLines } from "./lines/line-protocol.js";
import { selectHours } from "./roll-up.js";
import type { InfluxServer } from "./server/connection.js";
import { quoteName, quoteSource, quoteText } from "./server/policies.js";
import { throwRefused, writeLines } from "./writes.js";

/**
 * Rolls up hours on InfluxDB 2.x, from here: its InfluxQL has no INTO, and its Flux computes percentiles by holding
 * all samples of all hosts in memory (13 GB for three hosts and three days).
 *
 *   for each day from the mark on ─► for each host ─► ask for its hours (all measurements) ─► write them ─┐
 *        ▲                                                                                                │
 *        └──────────────────────────── set the mark to the day's end ◄────────────────────────────────────┘
 *
 * The server holds one host's iterators at a time, and we one host's day of hours. The mark is a point in the place of
 * the hours: any collector goes on where another stopped, and two that do the same hour write the same points.
 */

/** Full hours, microseconds since the Unix epoch. */
export interface HourSpan {
  readonly startUs: number;
  readonly endUs: number;
}

const dayUs = 24 * hourUs;

/** Says up to when all hours of all hosts are rolled up. */
const markMeasurement = ownMeasurements.rollUp;
const markField = "until_us";

/** Returns the end of the last hour that was rolled up of all hosts; undefined before the first. */
export async function readMark(server: InfluxServer): Promise<number | undefined> {
  const [found] = await server.query(`SELECT last("${markField}") FROM ${quoteSource(markMeasurement, "hourly")}`);
  const untilUs = found?.values[0]?.[1];
  return untilUs === undefined ? undefined : Number(untilUs);
}

/** Marks hours as rolled up: those of a place that holds nothing are. */
export async function writeMark(server: InfluxServer, untilUs: number): Promise<void> {
  await writeLines(server, [`${markMeasurement} ${markField}=${untilUs} ${untilUs}`], throwRefused, "hourly");
}

/** Lists the measurements that hold telemetry as it was measured. */
async function listTelemetry(server: InfluxServer): Promise<string[]> {
  return (await listMeasurements(server)).filter((name) => !isRecord(name) && name !== deliveryMeasurement);
}

/** Lists hosts, and the empty name for what has none. */
async function listHosts(server: InfluxServer): Promise<string[]> {
  const answers = await server.query(`SHOW TAG VALUES WITH KEY = "host"`);
  return [...new Set(answers.flatMap(({ values }) => values.map(([, host]) => String(host)))), ""];
}

/** Rolls up the hours of one host: as many statements as measurements, in one request. */
async function rollUpHost(server: InfluxServer, host: string, measurements: readonly string[], span: HourSpan): Promise<void> {
  const conditions = [`"host" = ${quoteText(host)}`, `time >= ${span.startUs}u`, `time < ${span.endUs}u`];
  const answers = await server.queryEach(measurements.map((name) => `${selectHours(quoteName(name), conditions)} fill(none)`));
  const { samples } = toChunk(answers.flat(), "hours");
  await writeLines(server, formatLines([samples]), throwRefused, "hourly");
}

/**
 * Rolls up hours.
 * @param host of this one alone
 */
export async function rollUpSpan(server: InfluxServer, { startUs, endUs }: HourSpan, host?: string): Promise<void> {
  const measurements = await listTelemetry(server);
  if (measurements.length === 0) return;
  const hosts = host === undefined ? await listHosts(server) : [host];
  for (let fromUs = startUs; fromUs < endUs; fromUs += dayUs) {
    const span = { startUs: fromUs, endUs: Math.min(endUs, fromUs + dayUs) };
    for (const each of hosts) await rollUpHost(server, each, measurements, span);
  }
}

/** Returns the hour of the oldest telemetry; undefined where there is none. Asks host by host, to hold little open. */
async function findOldestHour(server: InfluxServer): Promise<number | undefined> {
  const measurements = await listTelemetry(server);
  let oldestUs = Number.POSITIVE_INFINITY;
  for (const host of measurements.length === 0 ? [] : await listHosts(server)) {
    const statements = measurements.map((name) => {
      return `SELECT * FROM ${quoteName(name)} WHERE "host" = ${quoteText(host)} ORDER BY time ASC LIMIT 1`;
    });
    const rows = (await server.queryEach(statements)).flat().flatMap(({ values }) => values);
    for (const [timeUs] of rows) oldestUs = Math.min(oldestUs, Number(timeUs));
  }
  return oldestUs === Number.POSITIVE_INFINITY ? undefined : Math.floor(oldestUs / hourUs) * hourUs;
}

/**
 * Rolls up every hour that has ended since the last time, day by day.
 * @param oldestUs the first hour that is worth it: the server keeps none before
 * @param endUs the end of the last one
 */
export async function rollUpFinished(server: InfluxServer, oldestUs: number, endUs: number): Promise<void> {
  const mark = await readMark(server);
  let fromUs = Math.max(mark ?? (await findOldestHour(server)) ?? endUs, oldestUs);
  if (mark === undefined && fromUs >= endUs) await writeMark(server, endUs);
  while (fromUs < endUs) {
    const untilUs = Math.min(endUs, fromUs + dayUs);
    await rollUpSpan(server, { startUs: fromUs, endUs: untilUs });
    await writeMark(server, untilUs);
    fromUs = untilUs;
  }
}

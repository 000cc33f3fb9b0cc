import { BIGINT, DOUBLE, type DuckDBConnection, type DuckDBValue, INTEGER, VARCHAR } from "@duckdb/node-api";
import { aggregates } from "@fleetmark/shared/model/aggregates";
import { canonicalTags } from "@fleetmark/shared/model/series";
import { hourlyFields, hourUs } from "../retention.js";
import { emptyColumns } from "../samples.js";
import type { Chunk, Samples } from "../store.js";
import { appendRows, appendSeries, collectRows, type Rows } from "./append.js";
import type { WriterState } from "./commit.js";
import { columnOfAggregate, hourColumns } from "./file/schema.js";
import { commit } from "./file/transaction.js";
import { addStoredSeries } from "./series-index.js";

/** Storing what was read elsewhere, chunk by chunk, in place of what is there of the same series and times. */

/** Keeps the last of what comes twice in one chunk. */
function keepLast<V>([ids, times, values]: readonly [number[], bigint[], V[]]): [number[], bigint[], V[]] {
  const last = new Map<string, number>();
  ids.forEach((id, i) => {
    last.set(`${id} ${times[i]}`, i);
  });
  if (last.size === ids.length) return [ids, times, values];
  const kept = [...last.values()];
  return [kept.map((i) => ids[i]), kept.map((i) => times[i]), kept.map((i) => values[i])];
}

interface IncomingTable {
  readonly name: "numbers" | "texts" | "hours";
  readonly columns: readonly string[];
  readonly types: Parameters<typeof appendRows>[2];
  readonly values: DuckDBValue[][];
}

/** Replaces rows of the same series and time. */
async function replaceRows(connection: DuckDBConnection, { name, columns, types, values }: IncomingTable): Promise<void> {
  const times = values[1] as bigint[];
  if (times.length === 0) return;
  const names = types.map((type, i) => `${columns[i]} ${type}`).join(", ");
  await connection.run(`CREATE TEMP TABLE incoming (${names})`);
  await appendRows(connection, "incoming", types, values);
  // The range lets the engine pass over what holds none of it.
  const [from, to] = times.reduce(
    ([low, high], time) => [time < low ? time : low, time > high ? time : high],
    [times[0], times[0]],
  );
  await connection.run(
    `DELETE FROM ${name} WHERE time_us >= $from AND time_us <= $to AND (series_id, time_us) IN (SELECT (series_id, time_us) FROM incoming)`,
    { from, to },
  );
  await connection.run(`INSERT INTO ${name} BY NAME SELECT * FROM incoming`);
  await connection.run("DROP TABLE incoming");
}

/**
 * One point of hours is one row: puts the seven fields of each series and time together, and leaves out what lacks
 * one.
 */
function collectHours({ series, numbers }: Samples): { samples: Samples; values: number[][] } {
  const bases = series.map(({ measurement, tags, field }) => {
    const name = aggregates.find((each) => field.startsWith(hourlyFields[each]));
    return { name, series: { measurement, tags, field: name === undefined ? field : field.slice(hourlyFields[name].length) } };
  });
  const keys = bases.map(({ series: base }) => `${base.measurement} ${base.field} ${canonicalTags(base.tags)}`);
  const hours = new Map<string, { at: number; timeUs: number; values: Partial<Record<string, number>> }>();
  numbers.series.forEach((at, i) => {
    const key = `${numbers.timeUs[i]} ${keys[at]}`;
    const hour = hours.get(key) ?? { at, timeUs: numbers.timeUs[i], values: {} };
    const { name } = bases[at];
    if (name !== undefined) hour.values[columnOfAggregate[name]] = numbers.values[i];
    hours.set(key, hour);
  });
  const whole = [...hours.values()].filter(({ values }) => hourColumns.every((column) => values[column] !== undefined));
  const samples: Samples = { series: bases.map((base) => base.series), numbers: emptyColumns(), texts: emptyColumns() };
  for (const { at, timeUs, values } of whole) {
    samples.numbers.series.push(at);
    samples.numbers.timeUs.push(timeUs);
    samples.numbers.values.push(values.mean as number);
  }
  return { samples, values: hourColumns.map((column) => whole.map(({ values }) => values[column] as number)) };
}

const keyColumns = ["series_id", "time_us"];

async function overwriteHours(connection: DuckDBConnection, rows: Rows, values: readonly number[][]): Promise<void> {
  const [ids, times] = rows.numbers;
  await replaceRows(connection, {
    name: "hours",
    columns: [...keyColumns, ...hourColumns],
    types: [INTEGER, BIGINT, ...hourColumns.map(() => DOUBLE)],
    values: [ids, times, ...values],
  });
  if (times.length === 0) return;
  const last = times.reduce((a, b) => (a > b ? a : b)) + BigInt(hourUs);
  await connection.run("UPDATE horizon SET time_us = greatest(time_us, $last)", { last });
}

async function overwriteSamples(connection: DuckDBConnection, rows: Rows): Promise<void> {
  const columns = [...keyColumns, "value"];
  const numbers = keepLast<DuckDBValue>(rows.numbers);
  const texts = keepLast<DuckDBValue>(rows.texts);
  await replaceRows(connection, { name: "numbers", columns, types: [INTEGER, BIGINT, DOUBLE], values: numbers });
  await replaceRows(connection, { name: "texts", columns, types: [INTEGER, BIGINT, VARCHAR], values: texts });
}

/**
 * Stores a chunk in one transaction, in place of what there is of the same series and times. The state changes after
 * it alone.
 */
export async function overwriteChunk(connection: DuckDBConnection, state: WriterState, chunk: Chunk): Promise<void> {
  const isOfHours = chunk.kind === "hours";
  const { samples, values } = isOfHours ? collectHours(chunk.samples) : { samples: chunk.samples, values: [] };
  const rows = collectRows(state.index, samples);
  await commit(connection, async () => {
    await appendSeries(connection, rows.added);
    if (isOfHours) await overwriteHours(connection, rows, values);
    else await overwriteSamples(connection, rows);
  });
  for (const series of rows.added) addStoredSeries(state.index, series);
}

import { BIGINT, DOUBLE, type DuckDBConnection, type DuckDBValue, INTEGER, VARCHAR } from "@duckdb/node-api";
import type { Columns } from "@fleetmark/shared/model/batch";
import { canonicalTags, type Series } from "@fleetmark/shared/model/series";
import { deliveryMeasurement, hourlyFields, hourUs } from "../retention.js";
import { emptyColumns } from "../samples.js";
import { aggregates, type Part, type PartFilter, type Samples } from "../store.js";
import { selectRanges } from "./batch-table.js";
import { appendRows, appendSeries, collectRows, type WriterState } from "./commit.js";
import { addStoredSeries, type SeriesIndex, type StoredSeries } from "./series-index.js";
import { commit } from "./transaction.js";

/** Moving what a data file holds. */

/** The most samples of a part, if a minute does not hold more. */
const partSamples = 50_000;
const stepUs = 60e6;

type Table = "numbers" | "texts" | "hours";

interface Window {
  readonly fromUs: number;
  readonly toUs: number;
}

async function readRows(connection: DuckDBConnection, sql: string, values: Record<string, DuckDBValue>): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql, values)).getRowsJS();
}

/** Cuts the time of tables into windows of about as many samples as a part holds. */
async function findWindows(
  connection: DuckDBConnection,
  tables: readonly Table[],
  { fromUs, toUs }: PartFilter,
): Promise<Window[]> {
  const all = tables.map((table) => `SELECT time_us FROM ${table}`).join(" UNION ALL ");
  const steps = await readRows(
    connection,
    `SELECT CAST(time_us // ${stepUs} AS DOUBLE) AS step, CAST(count(*) AS DOUBLE) FROM (${all})
     WHERE time_us >= $from AND time_us < $to GROUP BY step ORDER BY step`,
    { from: BigInt(fromUs), to: BigInt(toUs) },
  );
  const windows: Window[] = [];
  let [startUs, count] = [fromUs, 0];
  for (const [step, samples] of steps as [number, number][]) {
    if (count > 0 && count + samples > partSamples) {
      windows.push({ fromUs: startUs, toUs: step * stepUs });
      [startUs, count] = [step * stepUs, 0];
    }
    count += samples;
  }
  if (count > 0) windows.push({ fromUs: startUs, toUs });
  return windows;
}

/** Turns rows of series, time and value into columns, numbering the series within the part. */
function toColumns<V>(rows: readonly unknown[][], number: (id: number) => number | undefined): Columns<V> {
  const columns = emptyColumns<V>();
  for (const [id, timeUs, value] of rows) {
    const series = number(id as number);
    if (series === undefined) continue;
    columns.series.push(series);
    columns.timeUs.push(timeUs as number);
    columns.values.push(value as V);
  }
  return columns;
}

async function readSamples(
  connection: DuckDBConnection,
  index: SeriesIndex,
  isWanted: (series: StoredSeries) => boolean,
  window: Window,
): Promise<Part> {
  const series: Series[] = [];
  const numbers = new Map<number, number>();
  const number = (id: number): number | undefined => {
    const stored = index.byId[id] as StoredSeries;
    if (!isWanted(stored)) return undefined;
    const known = numbers.get(id) ?? series.push(stored) - 1;
    numbers.set(id, known);
    return known;
  };
  const read = async <V>(table: "numbers" | "texts"): Promise<Columns<V>> =>
    toColumns(
      await readRows(
        connection,
        `SELECT series_id, CAST(time_us AS DOUBLE), value FROM ${table} WHERE time_us >= $from AND time_us < $to ORDER BY time_us`,
        { from: BigInt(window.fromUs), to: BigInt(window.toUs) },
      ),
      number,
    );
  return { kind: "samples", samples: { series, numbers: await read("numbers"), texts: await read("texts") }, skipped: 0 };
}

const hourColumns = ["mean", "min", "max", "last", "samples", "p50", "p95"];

async function readHours(
  connection: DuckDBConnection,
  index: SeriesIndex,
  isWanted: (series: StoredSeries) => boolean,
  window: Window,
): Promise<Part> {
  const rows = await readRows(
    connection,
    `SELECT series_id, CAST(time_us AS DOUBLE), ${hourColumns.join(", ")} FROM hours WHERE time_us >= $from AND time_us < $to ORDER BY time_us`,
    { from: BigInt(window.fromUs), to: BigInt(window.toUs) },
  );
  const series: Series[] = [];
  const numbers = emptyColumns<number>();
  const first = new Map<number, number>();
  for (const [id, timeUs, ...values] of rows as number[][]) {
    const stored = index.byId[id] as StoredSeries;
    if (!isWanted(stored)) continue;
    let at = first.get(id);
    if (at === undefined) {
      at = series.length;
      for (const name of aggregates) series.push({ ...stored, field: hourlyFields[name] + stored.field });
      first.set(id, at);
    }
    for (let i = 0; i < aggregates.length; i++) {
      numbers.series.push(at + i);
      numbers.timeUs.push(timeUs);
      numbers.values.push(values[hourColumns.indexOf(columnOf[aggregates[i]])]);
    }
  }
  return { kind: "hours", samples: { series, numbers, texts: emptyColumns() }, skipped: 0 };
}

const columnOf = { mean: "mean", min: "min", max: "max", last: "last", count: "samples", p50: "p50", p95: "p95" } as const;

/** When each host was last heard of, as a server keeps it: what batches tell here. */
async function readDeliveries(connection: DuckDBConnection, { fromUs, toUs }: PartFilter, version: number): Promise<Part> {
  const rows = await readRows(
    connection,
    `SELECT host, CAST(max(received_us) AS DOUBLE) AS received FROM (${selectRanges(version)}) WHERE host <> '' GROUP BY host
     HAVING received // ${hourUs} * ${hourUs} >= $from AND received // ${hourUs} * ${hourUs} < $to ORDER BY host`,
    { from: fromUs, to: toUs },
  );
  const received = rows.map(([, timeUs]) => timeUs as number);
  return {
    kind: "samples",
    samples: {
      series: rows.map(([host]) => ({ measurement: deliveryMeasurement, tags: { host: host as string }, field: "received_us" })),
      numbers: { series: rows.map((_, i) => i), timeUs: received.map((timeUs) => timeUs - (timeUs % hourUs)), values: received },
      texts: emptyColumns(),
    },
    skipped: 0,
  };
}

/** Reads everything that is stored, hours first. */
export async function* readParts(
  connection: DuckDBConnection,
  index: SeriesIndex,
  filter: PartFilter,
  version: number,
): AsyncGenerator<Part> {
  const { measurements } = filter;
  const wants = (name: string): boolean => measurements.length === 0 || measurements.includes(name);
  const isWanted = ({ measurement }: StoredSeries): boolean => wants(measurement);
  // One snapshot: a roll-up under way moves samples to hours.
  await connection.run("BEGIN TRANSACTION READ ONLY");
  try {
    const hours = version < 2 ? [] : await findWindows(connection, ["hours"], filter);
    for (const window of hours) yield await readHours(connection, index, isWanted, window);
    if (wants(deliveryMeasurement)) yield await readDeliveries(connection, filter, version);
    for (const window of await findWindows(connection, ["numbers", "texts"], filter)) {
      yield await readSamples(connection, index, isWanted, window);
    }
  } finally {
    await connection.run("ROLLBACK").catch(() => {});
  }
}

/** Keeps the last of what comes twice in one part. */
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
  readonly name: Table;
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

/** One point of hours is one row: puts the seven fields of each series and time together, and leaves out what lacks one. */
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
    if (name !== undefined) hour.values[columnOf[name]] = numbers.values[i];
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

/** Stores a part in one transaction, in place of what there is of the same series and times. The state changes after it alone. */
export async function overwritePart(connection: DuckDBConnection, state: WriterState, part: Part): Promise<void> {
  const { samples, values } = part.kind === "hours" ? collectHours(part.samples) : { samples: part.samples, values: [] };
  const rows = collectRows(state.index, [samples]);
  const columns = ["series_id", "time_us"];
  await commit(connection, async () => {
    await appendSeries(connection, rows.added);
    if (part.kind === "hours") {
      const [ids, times] = rows.numbers;
      const types = [INTEGER, BIGINT, ...hourColumns.map(() => DOUBLE)];
      await replaceRows(connection, {
        name: "hours",
        columns: [...columns, ...hourColumns],
        types,
        values: [ids, times, ...values],
      });
      if (times.length > 0) {
        const last = times.reduce((a, b) => (a > b ? a : b)) + BigInt(hourUs);
        await connection.run("UPDATE horizon SET time_us = greatest(time_us, $last)", { last });
      }
      return;
    }
    for (const [name, type] of [
      ["numbers", DOUBLE],
      ["texts", VARCHAR],
    ] as const) {
      await replaceRows(connection, {
        name,
        columns: [...columns, "value"],
        types: [INTEGER, BIGINT, type],
        values: keepLast<DuckDBValue>(rows[name]),
      });
    }
  });
  for (const series of rows.added) addStoredSeries(state.index, series);
}

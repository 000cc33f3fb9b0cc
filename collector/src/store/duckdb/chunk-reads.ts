import type { DuckDBConnection } from "@duckdb/node-api";
import { aggregates } from "@fleetmark/shared/model/aggregates";
import type { Columns } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import { deliveryMeasurement, hourlyFields, hourUs } from "../retention.js";
import { emptyColumns } from "../samples.js";
import type { Chunk, ChunkFilter } from "../store.js";
import { selectRanges } from "./batches/batch-table.js";
import { columnOfAggregate, hourColumns } from "./file/schema.js";
import { readRows } from "./query.js";
import type { SeriesIndex, StoredSeries } from "./series-index.js";

/** Reading a data file from end to end, chunk by chunk, to move it elsewhere. */

/** The most samples of a chunk, if a minute does not hold more. */
const chunkSamples = 50_000;
const stepUs = 60e6;

interface Window {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Cuts the time of tables into windows of about as many samples as a chunk holds. */
async function findWindows(
  connection: DuckDBConnection,
  tables: readonly ("numbers" | "texts" | "hours")[],
  { fromUs, toUs }: ChunkFilter,
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
    if (count > 0 && count + samples > chunkSamples) {
      windows.push({ fromUs: startUs, toUs: step * stepUs });
      [startUs, count] = [step * stepUs, 0];
    }
    count += samples;
  }
  if (count > 0) windows.push({ fromUs: startUs, toUs });
  return windows;
}

/** Turns rows of series, time and value into columns, numbering the series within the chunk. */
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
): Promise<Chunk> {
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

async function readHours(
  connection: DuckDBConnection,
  index: SeriesIndex,
  isWanted: (series: StoredSeries) => boolean,
  window: Window,
): Promise<Chunk> {
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
      numbers.values.push(values[hourColumns.indexOf(columnOfAggregate[aggregates[i]])]);
    }
  }
  return { kind: "hours", samples: { series, numbers, texts: emptyColumns() }, skipped: 0 };
}

/** When each host was last heard of, as a server keeps it: what batches tell here. */
async function readDeliveries(connection: DuckDBConnection, { fromUs, toUs }: ChunkFilter, version: number): Promise<Chunk> {
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
export async function* readChunks(
  connection: DuckDBConnection,
  index: SeriesIndex,
  filter: ChunkFilter,
  version: number,
): AsyncGenerator<Chunk> {
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

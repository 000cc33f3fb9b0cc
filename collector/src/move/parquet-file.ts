import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { BIGINT, DOUBLE, type DuckDBConnection, DuckDBInstance, INTEGER, VARCHAR } from "@duckdb/node-api";
import { canonicalTags, checkSeries, type Series, seriesKey } from "@fleetmark/shared/model/series";
import { appendRows } from "../store/duckdb/append.js";
import type { Chunk } from "../store/store.js";
import type { FileItem } from "./file-item.js";

/**
 * Parquet, written and read by DuckDB: one row a value, in the order of time, with columns `measurement`, `tags` (a
 * map), `field`, `time` (UTC, microseconds), `value` or `text`, and `kind` (`samples`, or `hours` of what was rolled
 * up).
 */

/** Without extensions from outside; what does not fit into memory goes to a file beside the one that is made. */
const options = { threads: "2", memory_limit: "1GB", autoinstall_known_extensions: "false", autoload_known_extensions: "false" };

/** Opens an engine of its own, on files of its own: the data file of a collector is sealed against all others. */
async function withEngine<T>(directory: string, act: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(directory, ".fleetmark-parquet-"));
  const instance = await DuckDBInstance.create(join(folder, "work.duckdb"), { ...options, temp_directory: folder });
  try {
    const connection = await instance.connect();
    try {
      return await act(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}

function quote(path: string): string {
  return `'${path.replaceAll("'", "''")}'`;
}

async function appendChunk(connection: DuckDBConnection, ids: Map<string, number>, { kind, samples }: Chunk): Promise<void> {
  const added: Series[] = [];
  const first = ids.size + 1;
  const numbered = samples.series.map((series) => {
    const key = seriesKey(series);
    const id = ids.get(key) ?? first + added.push(series) - 1;
    ids.set(key, id);
    return id;
  });
  await appendRows(
    connection,
    "series",
    [INTEGER, VARCHAR, VARCHAR, VARCHAR],
    [
      added.map((_, i) => first + i),
      added.map(({ measurement }) => measurement),
      added.map(({ tags }) => canonicalTags(tags)),
      added.map(({ field }) => field),
    ],
  );
  for (const [columns, type] of [
    [samples.numbers, DOUBLE],
    [samples.texts, VARCHAR],
  ] as const) {
    await appendRows(
      connection,
      type === DOUBLE ? "numbers" : "texts",
      [INTEGER, BIGINT, type, VARCHAR],
      [
        columns.series.map((series) => numbered[series]),
        columns.timeUs.map((timeUs) => BigInt(timeUs)),
        [...columns.values],
        columns.series.map(() => kind),
      ],
    );
  }
}

export async function writeParquetFile(path: string, chunks: AsyncIterable<Chunk>): Promise<void> {
  await withEngine(dirname(path), async (connection) => {
    await connection.run("CREATE TABLE series (id INTEGER, measurement VARCHAR, tags VARCHAR, field VARCHAR)");
    await connection.run("CREATE TABLE numbers (id INTEGER, time_us BIGINT, value DOUBLE, kind VARCHAR)");
    await connection.run("CREATE TABLE texts (id INTEGER, time_us BIGINT, value VARCHAR, kind VARCHAR)");
    const ids = new Map<string, number>();
    for await (const chunk of chunks) await appendChunk(connection, ids, chunk);
    await connection.run(
      `COPY (
         SELECT measurement, from_json(tags, '"MAP(VARCHAR, VARCHAR)"') AS tags, field, make_timestamp(time_us) AS time, value, text, kind
         FROM (SELECT id, time_us, value, NULL AS text, kind FROM numbers UNION ALL SELECT id, time_us, NULL, value, kind FROM texts)
         JOIN series USING (id)
         ORDER BY kind, time_us, measurement, series.tags, field
       ) TO ${quote(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  });
}

interface GrowingPoint {
  readonly kind: Chunk["kind"];
  readonly measurement: string;
  readonly tagsText: string;
  readonly timeUs: number;
  readonly fields: Record<string, number | string>;
  readonly number: number;
}

/** What is remembered from row to row. */
interface Reading {
  readonly tagsOf: Map<string, Record<string, string>>;
  /** Series that keep to the rules, as texts. */
  readonly checked: Set<string>;
  growing: GrowingPoint | undefined;
}

type Row = [measurement: string, tagsText: string, field: string, timeUs: number, value: unknown, text: unknown, kind: string];

/** Returns the point that grew until now, if there is one. */
function finishPoint({ growing, tagsOf }: Reading): FileItem | undefined {
  if (growing === undefined) return undefined;
  const { number, kind, measurement, tagsText, timeUs, fields } = growing;
  return { number, kind, point: { measurement, tags: tagsOf.get(tagsText) ?? {}, timeUs, fields } };
}

/**
 * Adds a row to the point that grows, or begins one with it; returns the point that ended so, or why the row is no
 * sample.
 */
function addRow(reading: Reading, row: readonly unknown[], number: number): FileItem | undefined {
  const reason = findFault(row, reading);
  if (reason !== undefined) return { number, reason, text: JSON.stringify(row) };
  const [measurement, tagsText, field, timeUs, value, text, kind] = row as Row;
  const { growing } = reading;
  const isSame =
    growing?.timeUs === timeUs && growing.tagsText === tagsText && growing.measurement === measurement && growing.kind === kind;
  const filled = (value ?? text) as number | string;
  if (growing !== undefined && isSame && !(field in growing.fields)) {
    growing.fields[field] = filled;
    return undefined;
  }
  const finished = finishPoint(reading);
  const ownKind = kind === "hours" ? "hours" : "samples";
  reading.growing = { kind: ownKind, measurement, tagsText, timeUs, fields: { [field]: filled }, number };
  return finished;
}

/** Reads the points of a file; rows that follow each other and share all but the field are one point. */
export async function* readParquetFile(path: string): AsyncGenerator<FileItem> {
  const instance = await DuckDBInstance.create(":memory:", options);
  const connection = await instance.connect();
  try {
    const rows = await connection.stream(
      `SELECT measurement, CAST(to_json(tags) AS VARCHAR), field, CAST(epoch_us(time) AS DOUBLE), value, text, kind FROM read_parquet(${quote(path)})`,
    );
    const reading: Reading = { tagsOf: new Map(), checked: new Set(), growing: undefined };
    let number = 0;
    for await (const chunk of rows.yieldRowsJs()) {
      for (const row of chunk) {
        const item = addRow(reading, row, ++number);
        if (item !== undefined) yield item;
      }
    }
    const last = finishPoint(reading);
    if (last !== undefined) yield last;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Says what keeps a row from being a sample; undefined where nothing does. */
function findFault(row: readonly unknown[], { tagsOf, checked }: Reading): string | undefined {
  const [measurement, tagsText, field, timeUs, value, text] = row;
  if (typeof measurement !== "string" || typeof field !== "string" || typeof tagsText !== "string")
    return "a row without measurement, tags or field";
  if (typeof timeUs !== "number" || !Number.isSafeInteger(timeUs) || timeUs < 0) return "a time that is none or out of range";
  if (typeof text !== "string" && !(typeof value === "number" && Number.isFinite(value)))
    return "neither a finite value nor a text";
  const key = `${measurement}\n${field}\n${tagsText}`;
  if (checked.has(key)) return undefined;
  try {
    const tags = tagsOf.get(tagsText) ?? (JSON.parse(tagsText) as Record<string, string>);
    checkSeries({ measurement, tags, field });
    tagsOf.set(tagsText, tags);
    checked.add(key);
    return undefined;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

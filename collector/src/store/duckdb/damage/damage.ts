import type { DuckDBConnection } from "@duckdb/node-api";

/**
 * What of a data file can't be read any more. The engine checks each block by its checksum and fails whatever question
 * touches a damaged one, so one block would take every answer and every roll-up with it. But it names rows by number
 * and reads no block of which it needs no row: so the rows that can't be read are found by halving, and gone round.
 */

/** Tables whose rows may be gone round; without the others a file is of no use. */
const tables = ["numbers", "texts", "hours"] as const;
type Table = (typeof tables)[number];

const columns: Readonly<Record<Table, string>> = {
  numbers: "series_id, time_us, value",
  texts: "series_id, time_us, value",
  hours: "series_id, time_us, samples, mean, min, max, last, p50, p95",
};

/** Rows that follow on each other and can't be read. */
export interface Damage {
  readonly table: Table;
  /** The first row, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Of those rows: between which times they lie, microseconds since the Unix epoch; null where that can't be read. */
  readonly fromUs: number | null;
  readonly toUs: number | null;
}

/** Rows of a group, which the engine stores together, and of a vector, which it reads at once. */
const rows = { group: 122_880, vector: 2048 } as const;

/** Whether a failure is that of a damaged block. */
export function isDamage(thrown: unknown): boolean {
  return /Corrupt database file|computed checksum/i.test(thrown instanceof Error ? thrown.message : String(thrown));
}

async function readOne(connection: DuckDBConnection, sql: string): Promise<unknown[]> {
  return (await connection.runAndReadAll(sql)).getRowsJS()[0];
}

const between = (from: number, to: number): string => `rowid >= ${from} AND rowid < ${to}`;

/** Whether these rows can be read to the last value. */
async function canRead(connection: DuckDBConnection, table: Table, from: number, to: number): Promise<boolean> {
  try {
    await readOne(connection, `SELECT sum(hash(${columns[table]}) % 2) FROM ${table} WHERE ${between(from, to)}`);
    return true;
  } catch (thrown) {
    if (isDamage(thrown)) return false;
    throw thrown;
  }
}

/** Finds vectors that can't be read among some rows, by halving. */
async function findVectors(
  connection: DuckDBConnection,
  table: Table,
  from: number,
  to: number,
  found: [number, number][],
): Promise<void> {
  if (await canRead(connection, table, from, to)) return;
  if (to - from <= rows.vector) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === from) last[1] = to;
    else found.push([from, to]);
    return;
  }
  const middle = from + Math.ceil((to - from) / 2 / rows.vector) * rows.vector;
  await findVectors(connection, table, from, middle, found);
  await findVectors(connection, table, middle, to, found);
}

/** Reads between which times rows lie, where their times are not what is damaged. */
async function readTimes(connection: DuckDBConnection, table: Table, from: number, to: number): Promise<[number, number] | null> {
  try {
    const sql = `SELECT CAST(min(time_us) AS DOUBLE), CAST(max(time_us) AS DOUBLE) FROM ${table} WHERE ${between(from, to)}`;
    const [fromUs, toUs] = await readOne(connection, sql);
    return typeof fromUs === "number" && typeof toUs === "number" ? [fromUs, toUs] : null;
  } catch (thrown) {
    if (isDamage(thrown)) return null;
    throw thrown;
  }
}

async function countRows(connection: DuckDBConnection, table: Table): Promise<number> {
  const [highest] = await readOne(connection, `SELECT CAST(coalesce(max(rowid), -1) AS DOUBLE) FROM ${table}`);
  return Number(highest) + 1;
}

/**
 * Reads every row of a data file, and finds those that can't be read.
 * @param onProgress told of the share that was read, from 0 to 1
 */
export async function findDamage(
  connection: DuckDBConnection,
  onProgress: (share: number) => void = () => {},
): Promise<Damage[]> {
  // One after the other: a connection that is asked twice at once can end the process.
  const counts: number[] = [];
  for (const table of tables) counts.push(await countRows(connection, table));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const damages: Damage[] = [];
  let read = 0;
  for (const [i, table] of tables.entries()) {
    const found: [number, number][] = [];
    for (let from = 0; from < counts[i]; from += rows.group) {
      const to = Math.min(from + rows.group, counts[i]);
      await findVectors(connection, table, from, to, found);
      read += to - from;
      onProgress(read / all);
    }
    for (const [from, to] of found) {
      const times = await readTimes(connection, table, from, to);
      damages.push({ table, from, to, fromUs: times?.[0] ?? null, toUs: times?.[1] ?? null });
    }
  }
  return damages;
}

/**
 * Takes rows that can't be read out of their tables: the engine deletes by the number of a row and need not read it.
 * From then on every question goes round them.
 * @returns how many rows that were: some may have been deleted before
 */
export async function removeDamage(connection: DuckDBConnection, damages: readonly Damage[]): Promise<number> {
  let removed = 0;
  await connection.run("BEGIN");
  try {
    for (const { table, from, to } of damages) {
      removed += (await connection.run(`DELETE FROM ${table} WHERE ${between(from, to)}`)).rowsChanged;
    }
    await connection.run("COMMIT");
  } catch (thrown) {
    await connection.run("ROLLBACK").catch(() => {});
    throw thrown;
  }
  return removed;
}

/**
 * Writes the statements by which a connection to a file that is only read goes round what can't be read: a view in
 * place of each table.
 * @param database the catalog of the file, as the engine calls it
 */
export function writeViews(damages: readonly Damage[], database: string): string[] {
  return [...new Set(damages.map(({ table }) => table))].map((table) => {
    const own = damages.filter((damage) => damage.table === table).sort((a, b) => a.from - b.from);
    const ends = [...own.map(({ from }) => from), undefined];
    const source = `SELECT * FROM "${database.replaceAll('"', '""')}".main.${table}`;
    const parts = ends.map((to, i) => {
      const from = own[i - 1]?.to ?? 0;
      return `${source} WHERE rowid >= ${from}${to === undefined ? "" : ` AND rowid < ${to}`}`;
    });
    return `CREATE OR REPLACE TEMP VIEW ${table} AS ${parts.join(" UNION ALL ")}`;
  });
}

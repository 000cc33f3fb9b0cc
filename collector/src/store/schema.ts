import type { DuckDBInstance } from "@duckdb/node-api";
import { FleetmarkError } from "@fleetmark/shared/errors";

/** Raised with every change to the tables; a file of a higher version is left alone. */
export const schemaVersion = 1;

/**
 * No table has an index: they are kept unique by their only writer, which knows every series and batch id. An index over samples
 * would have to live in memory, and zone maps over series and time serve the reads.
 * Batches of the empty host are the collector's own.
 */
const statements = [
  "CREATE TABLE meta (schema_version INTEGER NOT NULL)",
  `INSERT INTO meta VALUES (${schemaVersion})`,
  "CREATE TABLE series (id INTEGER NOT NULL, measurement VARCHAR NOT NULL, field VARCHAR NOT NULL, tags VARCHAR NOT NULL)",
  "CREATE TABLE numbers (series_id INTEGER NOT NULL, time_us BIGINT NOT NULL, value DOUBLE NOT NULL)",
  "CREATE TABLE texts (series_id INTEGER NOT NULL, time_us BIGINT NOT NULL, value VARCHAR NOT NULL)",
  "CREATE TABLE batches (host VARCHAR NOT NULL, epoch_us BIGINT NOT NULL, sequence BIGINT NOT NULL, received_us BIGINT NOT NULL)",
];

export async function createSchema(instance: DuckDBInstance): Promise<void> {
  const connection = await instance.connect();
  try {
    for (const statement of statements) await connection.run(statement);
  } finally {
    connection.closeSync();
  }
}

/** @throws FleetmarkError DATA_NEWER, DATA_CORRUPT when the file is a database of something else */
export async function checkSchema(instance: DuckDBInstance, name: string): Promise<void> {
  const connection = await instance.connect();
  try {
    const tables = await connection.runAndReadAll("SELECT table_name FROM duckdb_tables() WHERE table_name = 'meta'");
    if (tables.currentRowCount === 0)
      throw new FleetmarkError("DATA_CORRUPT", `${name} is a database, but not one of Fleetmark's`);
    const [row] = (await connection.runAndReadAll("SELECT max(schema_version) FROM meta")).getRowsJS();
    const version = Number(row[0]);
    if (version > schemaVersion) {
      throw new FleetmarkError("DATA_NEWER", `${name} has schema version ${version}; this version reads up to ${schemaVersion}`);
    }
    if (version !== schemaVersion) throw new FleetmarkError("DATA_CORRUPT", `${name} has schema version ${row[0]}`);
  } finally {
    connection.closeSync();
  }
}

import type { DuckDBInstance } from "@duckdb/node-api";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import { commit } from "./transaction.js";

/** Raised with every change to the tables; a file of a higher version is left alone. */
export const schemaVersion = 4;

/**
 * No table has an index: they are kept unique by their only writer, which knows every series and batch id. An index
 * over samples would have to live in memory, and zone maps over series and time serve the reads. Batches of the empty
 * host are the collector's own.
 */
const firstStatements = [
  "CREATE TABLE meta (schema_version INTEGER NOT NULL)",
  "INSERT INTO meta VALUES (1)",
  "CREATE TABLE series (id INTEGER NOT NULL, measurement VARCHAR NOT NULL, field VARCHAR NOT NULL, tags VARCHAR NOT NULL)",
  "CREATE TABLE numbers (series_id INTEGER NOT NULL, time_us BIGINT NOT NULL, value DOUBLE NOT NULL)",
  "CREATE TABLE texts (series_id INTEGER NOT NULL, time_us BIGINT NOT NULL, value VARCHAR NOT NULL)",
  "CREATE TABLE batches (host VARCHAR NOT NULL, epoch_us BIGINT NOT NULL, sequence BIGINT NOT NULL, received_us BIGINT NOT NULL)",
];

/**
 * What has come since, by the version that it leads to. `hours` holds what is left of samples that are past their
 * time; `horizon` the hour before which samples of telemetry have gone there. `batch_ranges` holds what is left of
 * `batches` of former days: sequences that follow on each other, and when the last of them was received. `digest`
 * tells a batch from another of its name; it is NULL of the collector's own and of those that came before it was.
 */
const upgrades: readonly (readonly string[])[] = [
  [
    `CREATE TABLE hours (series_id INTEGER NOT NULL, time_us BIGINT NOT NULL, samples DOUBLE NOT NULL, mean DOUBLE NOT NULL,
     min DOUBLE NOT NULL, max DOUBLE NOT NULL, last DOUBLE NOT NULL, p50 DOUBLE NOT NULL, p95 DOUBLE NOT NULL)`,
    "CREATE TABLE horizon (time_us BIGINT NOT NULL)",
    "INSERT INTO horizon VALUES (0)",
    "INSERT INTO meta VALUES (2)",
  ],
  [
    `CREATE TABLE batch_ranges (host VARCHAR NOT NULL, epoch_us BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
     received_us BIGINT NOT NULL)`,
    "INSERT INTO meta VALUES (3)",
  ],
  ["ALTER TABLE batches ADD COLUMN digest BIGINT", "INSERT INTO meta VALUES (4)"],
];

/** What `hours` holds of an hour, in the order in which it is written. */
export const hourColumns = ["mean", "min", "max", "last", "samples", "p50", "p95"] as const;

/** Where each aggregate stands in `hours`. */
export const columnOfAggregate: Readonly<Record<Aggregate, (typeof hourColumns)[number]>> = {
  mean: "mean",
  min: "min",
  max: "max",
  last: "last",
  count: "samples",
  p50: "p50",
  p95: "p95",
};

async function runAll(instance: DuckDBInstance, statements: readonly string[]): Promise<void> {
  const connection = await instance.connect();
  try {
    await commit(connection, async () => {
      for (const statement of statements) await connection.run(statement);
    });
  } finally {
    connection.closeSync();
  }
}

export function createSchema(instance: DuckDBInstance): Promise<void> {
  return runAll(instance, [...firstStatements, ...upgrades.flat()]);
}

/** Brings a file of an older version up to date, all at once or not at all. */
export function upgradeSchema(instance: DuckDBInstance, version: number): Promise<void> {
  return runAll(instance, upgrades.slice(version - 1).flat());
}

/**
 * Returns the version of a file's tables, at most the one that this program writes.
 * @throws FleetmarkError DATA_NEWER, DATA_CORRUPT when the file is a database of something else
 */
export async function checkSchema(instance: DuckDBInstance, name: string): Promise<number> {
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
    if (!(version >= 1)) throw new FleetmarkError("DATA_CORRUPT", `${name} has schema version ${row[0]}`);
    return version;
  } finally {
    connection.closeSync();
  }
}

import type { DuckDBConnection } from "@duckdb/node-api";

/** Does all of it or, where anything is thrown, nothing. */
export async function commit(connection: DuckDBConnection, act: () => Promise<void>): Promise<void> {
  await connection.run("BEGIN");
  try {
    await act();
    await connection.run("COMMIT");
  } catch (thrown) {
    // A failed COMMIT has ended the transaction already; then there is nothing left to roll back.
    await connection.run("ROLLBACK").catch(() => {});
    throw thrown;
  }
}

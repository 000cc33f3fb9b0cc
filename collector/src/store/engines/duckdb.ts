import { openStore, openStoreReadOnly, readDataFile } from "../duckdb/duckdb.js";
import type { Retention } from "../retention.js";
import { describeRetention } from "../setup-plan.js";
import type { StoreEngine } from "./engine.js";

/** A store in a file of the data directory. */
export interface DuckdbConfig {
  readonly kind: "duckdb";
  /** What an exported file calls the database. */
  readonly database: string;
  readonly retention: Retention;
}

export const duckdbEngine: StoreEngine<DuckdbConfig> = {
  identify: async (_, dataDir) => `the data file in ${dataDir}`,
  listQuestions: () => [],
  open: ({ retention }, dataDir) => openStore(dataDir, retention),
  openForReading: (_, dataDir) => openStoreReadOnly(dataDir),
  readAll: (_, dataDir, onProgress) => readDataFile(dataDir, onProgress),
  isSetUp: async () => true,
  planSetup: async ({ retention }, dataDir) => ({
    server: `the data file in ${dataDir}`,
    wish: describeRetention(retention),
    steps: [],
    notes: ["A data file needs no setup: the collector makes it when it starts, and rolls up and drops every night by itself."],
  }),
};

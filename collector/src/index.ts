export { type Collector, startCollector } from "./collector.js";
export { type CollectorConfig, collectorConfigSchema } from "./config.js";
export { parseMoment } from "./http/routing/time-range.js";
export {
  dropQuarantined,
  listQuarantine,
  type QuarantineEntry,
  type ReplayOutcome,
  readQuarantined,
  requestReplay,
  takeOutcome,
} from "./ingest/quarantine/contents.js";
export { type ShownSample, showQuarantined } from "./ingest/quarantine/show.js";
export { type ExportProgress, type ExportReport, exportStore } from "./move/export.js";
export { type ImportProgress, type ImportReport, importFile } from "./move/import.js";
export { type Precision, precisions } from "./move/parse-line.js";
export { openStoreReadOnly } from "./store/duckdb/duckdb.js";
export { backUpStore, restoreStore } from "./store/engines/backup.js";
export { checkStore, type StoreCheck } from "./store/engines/check.js";
export { planStoreSetup } from "./store/engines/registry.js";
export { allowRetention, planStoreRetention, retainStoreNow, type StoreRetentionPlan } from "./store/engines/retain.js";
export { findResults } from "./store/run-records.js";
export type { SetupPlan, SetupStep } from "./store/setup-plan.js";
export type { Retained } from "./store/store.js";

export { type Collector, startCollector } from "./collector.js";
export { type CollectorConfig, collectorConfigSchema } from "./config.js";
export { checkStore, type StoreCheck } from "./store/check.js";
export { openStoreReadOnly } from "./store/duckdb.js";
export { planStoreSetup } from "./store/setup.js";
export type { SetupPlan, SetupStep } from "./store/setup-plan.js";
export type { Aggregate, HistoryQuery, HostRecord, ResultFilter, SeriesHistory, StoreReader } from "./store/store.js";

import type { SetupPlan } from "../setup-plan.js";
import type { RefuseLine, Store, StoreReader } from "../store.js";
import { type DuckdbConfig, duckdbEngine } from "./duckdb.js";
import type { StoreEngine } from "./engine.js";
import { type InfluxConfig, influxEngine } from "./influx.js";

interface ConfigByKind {
  duckdb: DuckdbConfig;
  influxdb: InfluxConfig;
}
type Kind = keyof ConfigByKind;
type ConfigOf<K extends Kind> = ConfigByKind[K] & { readonly kind: K };

const engines: { readonly [K in Kind]: StoreEngine<ConfigByKind[K]> } = { duckdb: duckdbEngine, influxdb: influxEngine };

/** Which store is meant, and how it is reached. */
export type StoreConfig = ConfigByKind[Kind];

/** What of a collector's configuration tells where its store is. */
export interface StoreLocation {
  readonly store: StoreConfig;
  readonly data_dir: string;
}

/** Returns the engine of the store that a configuration means. */
export function findEngine<K extends Kind>(config: ConfigOf<K>): StoreEngine<ConfigByKind[K]> {
  return engines[config.kind];
}

/**
 * Opens the store that the configuration names.
 * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
 */
export function openConfiguredStore(config: StoreConfig, dataDir: string, refuseLine: RefuseLine): Promise<Store> {
  return findEngine(config).open(config, dataDir, refuseLine);
}

/**
 * Opens the store that the configuration names, to be read alone.
 * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
 */
export function openConfiguredReader(config: StoreConfig, dataDir: string): Promise<StoreReader> {
  return findEngine(config).openForReading(config, dataDir);
}

/**
 * Finds out what a store lacks of what its configuration wishes. Nothing is changed before a step is run.
 * @param adminTokenFile holds credentials that may set up, where the collector's own may not
 * @throws FleetmarkError CONFIG_UNREADABLE, STORE_FAILED saying what to do
 */
export function planStoreSetup({ store, data_dir }: StoreLocation, adminTokenFile?: string): Promise<SetupPlan> {
  return findEngine(store).planSetup(store, data_dir, adminTokenFile);
}

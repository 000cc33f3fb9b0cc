import type { SetupPlan } from "../setup-plan.js";
import type { RefuseLine, Store, StoreReader } from "../store.js";

/**
 * A kind of store. A new one is a folder that implements it, one file beside this one, and one line in the registry.
 */
export interface StoreEngine<C> {
  /** Says which store a configuration means. */
  describe(config: C, dataDir: string): string;
  /** @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws */
  open(config: C, dataDir: string, refuseLine: RefuseLine): Promise<Store>;
  /**
   * Opens it to be read alone.
   * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
   */
  openForReading(config: C, dataDir: string): Promise<StoreReader>;
  /**
   * Whether what `fleetmark store setup` makes is there, and may be written to.
   * @param testPoint what may be written to find out
   */
  isSetUp(config: C, testPoint: TestPoint): Promise<boolean>;
  /**
   * Finds out what it lacks of what its configuration wishes. Nothing is changed before a step is run.
   * @param adminTokenFile holds credentials that may set up, where the collector's own may not
   * @throws FleetmarkError CONFIG_UNREADABLE, STORE_FAILED saying what to do
   */
  planSetup(config: C, dataDir: string, adminTokenFile: string | undefined): Promise<SetupPlan>;
}

/** A point that checks a store: its measurement, its host, and its time, which is its value too. */
export interface TestPoint {
  readonly measurement: string;
  readonly host: string;
  readonly timeUs: number;
}

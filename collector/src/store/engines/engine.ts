import type { SetupPlan } from "../setup-plan.js";
import type { RefuseLine, Store, StoreReader } from "../store.js";

/**
 * A kind of store. A new one is a folder that implements it, one file beside this one, and one line in the registry.
 */
export interface StoreEngine<C> {
  /**
   * Says which store a configuration means, and of a server which version answers there.
   * @throws FleetmarkError CONFIG_UNREADABLE, STORE_FAILED where none answers
   */
  identify(config: C, dataDir: string): Promise<string>;
  /** What is asked of it before anything is written; nothing of a file. */
  listQuestions(config: C): readonly StoreQuestion[];
  /** @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws */
  open(config: C, dataDir: string, refuseLine: RefuseLine): Promise<Store>;
  /**
   * Opens it to be read alone.
   * @throws FleetmarkError CONFIG_UNREADABLE, and what the store's own opening throws
   */
  openForReading(config: C, dataDir: string): Promise<StoreReader>;
  /**
   * Reads everything that it holds, and says how much that was; undefined where a server sees to its own files.
   * @param onProgress told of the share that was read, from 0 to 1
   * @throws FleetmarkError DATA_DAMAGED, and what the store's own opening throws
   */
  readAll(config: C, dataDir: string, onProgress: (share: number) => void): Promise<string> | undefined;
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

/** One thing that a store is asked when it is checked. */
export interface StoreQuestion {
  readonly step: "database" | "types";
  /**
   * Says what was found.
   * @throws FleetmarkError saying what is wrong and what to do
   */
  ask(): Promise<string>;
}

/** A point that checks a store: its measurement, its host, and its time, which is its value too. */
export interface TestPoint {
  readonly measurement: string;
  readonly host: string;
  readonly timeUs: number;
}

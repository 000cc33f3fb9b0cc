import type { Breach } from "@fleetmark/shared/alerting/alert";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";

/**
 * What a watcher found when it looked. An alert that it finds now and not later is resolved then; one that it can't
 * tell of stays as it is.
 */
export interface Sight {
  readonly breaches: readonly Breach[];
  /** Whether an alert of this name and these labels can't be told of at the moment. */
  isUnknown(alert: Pick<Breach, "name" | "labels">): boolean;
}

/** Looks at one kind of thing. */
export interface Watcher {
  /** Names of the alerts that it tells of. */
  tellsOf(name: string): boolean;
  /** @throws FleetmarkError STORE_FAILED: nothing of what it tells of is known then */
  look(nowUs: number): Promise<Sight>;
}

/** Follows records as they are committed, here or elsewhere. */
export interface Follower extends Watcher {
  hear(records: readonly KindedRecord[]): void;
  /** Reads what other collectors have committed of late. @throws FleetmarkError STORE_FAILED */
  catchUp(nowUs: number): Promise<void>;
}

/** What others committed is looked for so far back, microseconds. */
export const catchUpBackUs = 900e6;

/** How long what is looked at again and again must be clear until an alert is resolved, seconds. */
export const usualKeepS = 120;

/** Nothing is unknown. */
export const allKnown = (): boolean => false;

import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Result, Run } from "@fleetmark/shared/model/result";
import type { Series } from "@fleetmark/shared/model/series";

export const aggregates = ["mean", "min", "max", "last", "p50", "p95", "count"] as const;
export type Aggregate = (typeof aggregates)[number];

/** What a history is asked for: one field of one measurement, of every series that carries the tags. */
export interface HistoryQuery {
  readonly measurement: string;
  readonly field: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Microseconds since the Unix epoch; from inclusive, to exclusive. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly bucketUs: number;
  readonly aggregate: Aggregate;
  /** The most points that the answer may hold, over all its series. */
  readonly maxPoints: number;
}

/** The history of one series: the start of each bucket that holds samples, and the aggregate of its samples. */
export interface SeriesHistory {
  readonly tags: Readonly<Record<string, string>>;
  readonly points: (readonly [timeUs: number, value: number])[];
}

export interface ResultFilter {
  readonly host?: string;
  readonly suite?: string;
  readonly category?: string;
  readonly benchmark?: string;
}

export interface RunFilter {
  readonly host?: string;
  readonly beforeUs?: number;
  readonly limit: number;
}

/** A host as its agent last introduced it. */
export interface HostRecord {
  readonly host: string;
  readonly version: string;
  readonly hw_class: string;
  readonly inventory: Readonly<Record<string, unknown>>;
  /** When anything of it was last stored, microseconds since the Unix epoch. */
  readonly last_seen_us: number;
}

/** Samples with their series: a batch without its name. */
export type Samples = Pick<Batch, "series" | "numbers" | "texts">;

/** Part of what a store holds, on its way elsewhere. Points are whole in it. */
export interface Part {
  /** Samples as they were measured, or hours of what was rolled up, seven fields for each: `mean_usage_user` and so on. */
  readonly kind: "samples" | "hours";
  readonly samples: Samples;
  /** Values that can't be moved, such as booleans of another writer. */
  readonly skipped: number;
}

export interface PartFilter {
  /** All measurements, if it is empty. */
  readonly measurements: readonly string[];
  /** Microseconds since the Unix epoch; from inclusive, to exclusive. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** What became of what was past its time. */
export interface Retained {
  readonly samples_rolled_up: number;
  readonly hours_dropped: number;
  readonly records_dropped: number;
}

/** A store that asks not to be tried again before some time has passed. */
export class StoreBusy extends FleetmarkError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, options?: { cause?: unknown }) {
    super("STORE_FAILED", message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What can be asked of what was stored. Every question throws FleetmarkError STORE_FAILED when the engine fails. */
export interface StoreReader {
  /**
   * In the order of the series' tags.
   * @throws FleetmarkError REQUEST_INVALID when the answer would hold more than maxPoints
   */
  history(query: HistoryQuery): Promise<SeriesHistory[]>;
  /** The latest result of each benchmark, runtime and device on each host, of whichever suite; the newest first. */
  latestResults(filter: ResultFilter): Promise<Result[]>;
  resultsOfRun(run: string): Promise<Result[]>;
  /** Runs that have ended, the newest first; with `beforeUs`, those that ended before it: the next page begins where one ended. */
  runs(filter: RunFilter): Promise<Run[]>;
  hosts(): Promise<HostRecord[]>;
  /** Every series of a measurement, or of all, in the order of their keys. */
  listSeries(measurement?: string): Promise<Series[]>;
  /** Everything that is stored, in parts of some ten thousand samples. */
  read(filter: PartFilter): AsyncIterable<Part>;
  close(): Promise<void>;
}

export interface Store extends StoreReader {
  /**
   * Commits the batches in one transaction: all of them are durable when it resolves, none when it throws.
   * A batch whose id is stored already, or comes twice in the group, changes nothing.
   * @returns the batches that were new
   * @throws FleetmarkError STORE_FAILED
   */
  write(batches: readonly Batch[], receivedUs: number): Promise<Batch[]>;
  /**
   * Stores a part, in place of what it holds of the same series and times: doing it twice is doing it once.
   * @throws FleetmarkError STORE_FAILED with nothing known of the part
   */
  overwrite(part: Part): Promise<void>;
  /**
   * Rolls up what parts have brought, as far as the nightly roll-up would pass it over.
   * @throws FleetmarkError STORE_FAILED
   */
  settle(range: Pick<PartFilter, "fromUs" | "toUs">): Promise<void>;
  /**
   * Rolls up and drops what is past its time; nothing is done where the server does so by itself.
   * @throws FleetmarkError STORE_FAILED; what was done until then stays done
   */
  retain(nowUs: number): Promise<Retained | undefined>;
}

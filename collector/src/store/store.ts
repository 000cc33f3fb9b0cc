import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";

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

/** Tags that series carry; those that are undefined may be any. */
export type TagFilter = Readonly<Record<string, string | undefined>>;

/** Which records of a kind are asked for, from the newest back. */
export interface NewestFilter {
  readonly tags: TagFilter;
  /** Those of an earlier time: the next page begins where one ended. */
  readonly beforeUs?: number;
  readonly limit: number;
}

/** Samples with their series: a batch without its name. */
export type Samples = Pick<Batch, "series" | "numbers" | "texts">;

/** A part of what a store holds, on its way elsewhere. Points are whole in it. */
export interface Chunk {
  /**
   * Samples as they were measured, or hours of what was rolled up, seven fields for each: `mean_usage_user` and so
   * on.
   */
  readonly kind: "samples" | "hours";
  readonly samples: Samples;
  /** Values that can't be moved, such as booleans of another writer. */
  readonly skipped: number;
}

export interface ChunkFilter {
  /** All measurements, if it is empty. */
  readonly measurements: readonly string[];
  /** Microseconds since the Unix epoch; from inclusive, to exclusive. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** What became of what was past its time. */
export interface RolledUp {
  readonly samples_rolled_up: number;
  readonly hours_dropped: number;
  readonly records_dropped: number;
}

/** What became of the space that was free then. */
export interface Compacted {
  /** Bytes that the data file takes no more. */
  readonly bytes_freed: number;
  /** Why a file that could be much smaller stays as it is; null where it does not. */
  readonly not_freed_because: string | null;
}

export type Retained = RolledUp & Compacted;

/** What a roll-up would do. */
export interface RetentionPlan {
  /** Samples of telemetry that are stored, not yet rolled up. */
  readonly samples: number;
  readonly samples_to_roll_up: number;
  readonly hours_to_drop: number;
  readonly records_to_drop: number;
}

/** Rows that could not be read any more, and are missing since. */
export interface DamagedRange {
  readonly table: string;
  readonly rows: number;
  /** Between which times they lie, microseconds since the Unix epoch; null where that could not be read. */
  readonly from_us: number | null;
  readonly to_us: number | null;
  readonly found_us: number;
}

/** Told of each line that a store will never take, with its reason, before the others are acknowledged. */
export type RefuseLine = (line: string, reason: string) => Promise<void>;

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
  /** Of the records that carry the tags, the latest of each identity (see RecordKind); the newest first. */
  readLatest<R>(kind: RecordKind<R>, tags: TagFilter): Promise<R[]>;
  /** Records whose field holds the text, the newest first. */
  findByText<R>(kind: RecordKind<R>, field: string, text: string): Promise<R[]>;
  /** The newest records, the newest first. */
  readNewest<R>(kind: RecordKind<R>, filter: NewestFilter): Promise<R[]>;
  /** When a batch of each host was last received, microseconds since the Unix epoch: what no record tells. */
  readReceived(): Promise<ReadonlyMap<string, number>>;
  /** Every series of a measurement, or of all, in the order of their keys. */
  listSeries(measurement?: string): Promise<Series[]>;
  /** Everything that is stored, in chunks of some ten thousand samples. */
  read(filter: ChunkFilter): AsyncIterable<Chunk>;
  close(): Promise<void>;
}

export interface Store extends StoreReader {
  /**
   * Makes sure that what is written can be read back, before anything that was written is acknowledged; nothing to
   * wait for where opening it has shown that.
   * @throws FleetmarkError STORE_FAILED saying what to do
   */
  prepare(): Promise<void> | undefined;
  /**
   * Keeps the data file as it is now while it is copied; what is written meanwhile waits in its log. Undefined where a
   * server has backups of its own.
   * @param copy copies the file at the path
   * @throws FleetmarkError STORE_FAILED, and what `copy` throws
   */
  freeze(copy: (path: string) => Promise<void>): Promise<void> | undefined;
  /** What was found damaged; a server sees to that itself. */
  listDamage(): readonly DamagedRange[];
  /** What it can't do beside taking batches, in words; undefined when it does all. */
  findTrouble(): string | undefined;
  /**
   * Commits the batches in one transaction: all of them are durable when it resolves, none when it throws.
   * A batch whose id is stored already, or comes twice in the group, changes nothing.
   * @param onConflict told of batches whose id is stored with another content (by their digests, for a day), where the
   *   store goes by ids
   * @returns the batches that were new
   * @throws FleetmarkError STORE_FAILED
   */
  write(batches: readonly Batch[], receivedUs: number, onConflict?: (batch: Batch) => void): Promise<Batch[]>;
  /**
   * Stores a chunk, in place of what it holds of the same series and times: doing it twice is doing it once.
   * @throws FleetmarkError STORE_FAILED with nothing known of the chunk
   */
  overwrite(chunk: Chunk): Promise<void>;
  /**
   * Rolls up what chunks have brought, as far as the nightly roll-up would pass it over.
   * @throws FleetmarkError STORE_FAILED
   */
  rollUp(range: Pick<ChunkFilter, "fromUs" | "toUs">): Promise<void>;
  /**
   * Counts what `retain` would roll up and drop; undefined where the server does so by itself.
   * @throws FleetmarkError STORE_FAILED
   */
  planRetention(nowUs: number): Promise<RetentionPlan | undefined>;
  /**
   * Rolls up and drops what is past its time, and gives back the space that is free then; nothing is done where the
   * server does so by itself.
   * @throws FleetmarkError STORE_FAILED; what was done until then stays done
   */
  retain(nowUs: number): Promise<Retained | undefined>;
}

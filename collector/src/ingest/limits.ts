/** What the ingest takes in. */
export interface IngestLimits {
  /** Bytes of an encoded batch. */
  readonly max_batch_bytes: number;
  /** Seconds that a sample may be stamped ahead of the collector's clock, and behind it. */
  readonly time_ahead: number;
  readonly time_behind: number;
  readonly max_series_per_batch: number;
  /** Hosts that are heard of within an hour. */
  readonly max_hosts: number;
}

/** What the ingest takes in. */
export interface IngestLimits {
  /** Bytes of an encoded batch. */
  readonly max_batch_bytes: number;
  /** Seconds that a sample may be stamped ahead of the collector's clock, and behind it. */
  readonly time_ahead: number;
  readonly time_behind: number;
  readonly max_series_per_batch: number;
  readonly max_samples_per_batch: number;
  readonly new_series_per_host_per_hour: number;
  readonly max_series_per_host: number;
  /** Hosts that are heard of within an hour. */
  readonly max_hosts: number;
  /** Bytes that a host may send in a second, ten seconds' worth of them at once. */
  readonly bytes_per_second_per_host: number;
  /** Connections that one address may have to the gRPC port. */
  readonly connections_per_address: number;
}

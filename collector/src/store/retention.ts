import type { Aggregate } from "@fleetmark/shared/model/aggregates";
import type { Series } from "@fleetmark/shared/model/series";
import { belongsToRecord } from "@fleetmark/shared/records/registry";

/** How long a store keeps what it holds, in seconds; without end for ever. */
export interface Retention {
  /** Telemetry as it was measured. */
  readonly raw: number;
  /** Telemetry rolled up by hour. */
  readonly hourly: number;
  /** Records, whole. */
  readonly records: number;
}

/** Keeps everything for ever. */
export const keepAll: Retention = {
  raw: Number.POSITIVE_INFINITY,
  hourly: Number.POSITIVE_INFINITY,
  records: Number.POSITIVE_INFINITY,
};

export const hourUs = 3.6e9;

/** When batches of a host were last received: what no sample of an agent tells. */
export const deliveryMeasurement = "fleetmark_delivery";

/**
 * Whether samples of a series are kept as long as records: records themselves, how hosts introduced themselves (the
 * texts of `agent`), and when they were last heard of. Without the last two a quiet host would vanish from the list
 * of hosts.
 */
export function isKeptWhole({ measurement }: Pick<Series, "measurement">, kind: "numbers" | "texts"): boolean {
  return measurement === deliveryMeasurement || belongsToRecord(measurement, kind);
}

/** Returns the last full hour before which samples that are kept so long are gone; without end, nothing is. */
export function findHorizonUs(keepS: number, nowUs: number): number {
  return keepS === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.floor((nowUs - keepS * 1e6) / hourUs) * hourUs);
}

/**
 * What an hour of a field is rolled up to, when it is written as fields of its own: `mean_usage_user`. InfluxQL names
 * the fields of `mean(*)` and so on itself, and these are its names.
 */
export const hourlyFields: Readonly<Record<Aggregate, string>> = {
  mean: "mean_",
  min: "min_",
  max: "max_",
  last: "last_",
  count: "count_",
  p50: "median_",
  p95: "percentile_",
};

import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { checkSeries, type Point, seriesLimits } from "@fleetmark/shared/model/series";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import type { Parcel, Priority } from "../spool/encoded-batch.js";
import { addCount, type DeliveryCounts } from "./counts.js";

/** Bounds of one batch. Bytes are an upper estimate, made before encoding. */
export const batchLimits = { samples: 2000, bytes: 262_144 } as const;

/** Turns points into encoded batches. It knows no clock: who calls `flush` decides how long samples wait for company. */
export interface Recorder {
  /** Samples that wait for a batch to be cut. */
  readonly pending: number;
  record(points: readonly Point[]): void;
  /** Puts a point into a batch of its own at once. Returns its sequence; undefined if nothing of it could be kept. */
  recordResult(point: Point): number | undefined;
  /** Cuts the batch under way, if it holds anything. */
  flush(): void;
}

function judgeSample(point: Point, field: string, value: number | string): ErrorCode | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return "VALUE_NOT_FINITE";
  // A time that is no integer, or outside what the collector can read, would cost the whole batch.
  if (!Number.isSafeInteger(point.timeUs) || point.timeUs < 0) return "BATCH_MALFORMED";
  if (typeof value === "string" && value.length > seriesLimits.textLength) return "SERIES_INVALID";
  try {
    checkSeries({ measurement: point.measurement, tags: point.tags, field });
  } catch (thrown) {
    return thrown instanceof FleetmarkError ? thrown.code : "INTERNAL";
  }
  return undefined;
}

/** Keeps what a collector will take of a point; what it would refuse is counted by code. Undefined if nothing is left. */
function sanitize(point: Point, counts: DeliveryCounts): Point | undefined {
  const fields: Record<string, number | string> = {};
  for (const [field, value] of Object.entries(point.fields)) {
    counts.recorded++;
    const code = judgeSample(point, field, value);
    if (code === undefined) fields[field] = value;
    else addCount(counts.dropped, code, 1);
  }
  return Object.keys(fields).length === 0 ? undefined : { ...point, fields };
}

/** A number costs at most 8 + 5 + 5 bytes, a text 3 per UTF-16 unit; a series is assumed new for every sample. */
function estimateBytes(point: Point): number {
  const tags = Object.entries(point.tags).reduce((sum, [key, value]) => sum + 3 * (key.length + value.length) + 8, 0);
  return Object.entries(point.fields).reduce((sum, [field, value]) => {
    return sum + tags + point.measurement.length + field.length + 32 + (typeof value === "string" ? 3 * value.length : 0);
  }, 0);
}

/**
 * Creates a recorder whose batches are named by `host` and `epochUs` (when the agent began, microseconds since the Unix epoch)
 * and handed to `put` in order of sequence.
 */
export function createRecorder(host: string, epochUs: number, counts: DeliveryCounts, put: (parcel: Parcel) => void): Recorder {
  let builder = new BatchBuilder();
  let bytes = 0;
  let sequence = 0;

  const cut = (full: BatchBuilder, priority: Priority): number => {
    sequence++;
    const id = { host, epochUs, sequence };
    put({ id, priority, bytes: encodeBatch(full.build(id)), samples: full.samples });
    return sequence;
  };

  const flush = (): void => {
    if (builder.samples === 0) return;
    const full = builder;
    builder = new BatchBuilder();
    bytes = 0;
    cut(full, "telemetry");
  };

  return {
    get pending() {
      return builder.samples;
    },
    record(points) {
      for (const given of points) {
        const point = sanitize(given, counts);
        if (point === undefined) continue;
        const size = estimateBytes(point);
        if (!builder.accepts(point.timeUs) || bytes + size > batchLimits.bytes) flush();
        builder.add(point);
        bytes += size;
        if (builder.samples >= batchLimits.samples) flush();
      }
    },
    recordResult(given) {
      const point = sanitize(given, counts);
      if (point === undefined) return undefined;
      const single = new BatchBuilder();
      single.add(point);
      return cut(single, "result");
    },
    flush,
  };
}

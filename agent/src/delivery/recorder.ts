import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder, type BatchId } from "@fleetmark/shared/model/batch";
import { checkSeries, type Point, seriesLimits } from "@fleetmark/shared/model/series";
import { decodeBatch, outlineBatch } from "@fleetmark/shared/wire/batch-decoder";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import type { EncodedBatch, Priority } from "../batch/encoded-batch.js";
import { addCount } from "../batch/losses.js";
import type { DeliveryCounts } from "./counts.js";

/** Bounds of one batch. Bytes are an upper estimate, made before encoding. */
export const batchLimits = { samples: 2000, bytes: 262_144 } as const;

export interface RecorderOptions {
  readonly host: string;
  /** Of the agent; empty where it has none. */
  readonly identity: string;
  /** When the agent began, microseconds since the Unix epoch. */
  readonly epochUs: number;
  readonly counts: DeliveryCounts;
  /** Takes the batches, in order of sequence. */
  put(batch: EncodedBatch): void;
}

/** Turns points into encoded batches. It knows no clock: who flushes it decides how long samples wait for company. */
export interface Recorder {
  readonly options: RecorderOptions;
  /** The batch under way, and an upper estimate of its bytes. */
  builder: BatchBuilder;
  bytes: number;
  /** Names the batches that are cut from now on, with the sequence. */
  epochUs: number;
  /** The last that was given out. */
  sequence: number;
}

export function createRecorder(options: RecorderOptions): Recorder {
  return { options, builder: new BatchBuilder(), bytes: 0, epochUs: options.epochUs, sequence: 0 };
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

/**
 * Keeps what a collector will take of a point; what it would refuse is counted by code. Undefined if nothing is left.
 */
function sanitizePoint(point: Point, counts: DeliveryCounts): Point | undefined {
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

/** Returns how many samples wait for their batch to be cut. */
export function countPending({ builder }: Recorder): number {
  return builder.samples;
}

function nextId({ options: { host }, epochUs, sequence }: Recorder): BatchId {
  return { host, epochUs, sequence };
}

function cutBatch(recorder: Recorder, full: BatchBuilder, priority: Priority): number {
  const { identity, put } = recorder.options;
  recorder.sequence++;
  const id = nextId(recorder);
  put({ id, priority, bytes: encodeBatch(full.build(id), identity), samples: full.samples });
  return id.sequence;
}

/**
 * Gives a batch a new name, and puts it as a new one: a collector has another batch under the name that it had.
 * @throws FleetmarkError BATCH_MALFORMED where its bytes are none of ours
 */
export function renumberBatch(recorder: Recorder, { id: before, bytes, priority, samples }: EncodedBatch): BatchId {
  const outline = outlineBatch(bytes);
  const batch = decodeBatch(bytes, outline);
  recorder.sequence++;
  const id = { ...nextId(recorder), host: before.host };
  recorder.options.put({ id, priority, bytes: encodeBatch({ ...batch, id }, outline.identity), samples });
  return id;
}

/** Cuts the batch under way, if it holds anything. */
export function flushRecorder(recorder: Recorder): void {
  const full = recorder.builder;
  if (full.samples === 0) return;
  recorder.builder = new BatchBuilder();
  recorder.bytes = 0;
  cutBatch(recorder, full, "telemetry");
}

export function recordPoints(recorder: Recorder, points: readonly Point[]): void {
  for (const given of points) {
    const point = sanitizePoint(given, recorder.options.counts);
    if (point === undefined) continue;
    const size = estimateBytes(point);
    if (!recorder.builder.accepts(point.timeUs) || recorder.bytes + size > batchLimits.bytes) flushRecorder(recorder);
    recorder.builder.add(point);
    recorder.bytes += size;
    if (recorder.builder.samples >= batchLimits.samples) flushRecorder(recorder);
  }
}

/** Puts a point into a batch of its own at once. Returns its sequence; undefined if nothing of it could be kept. */
export function recordAlone(recorder: Recorder, given: Point): number | undefined {
  const point = sanitizePoint(given, recorder.options.counts);
  if (point === undefined) return undefined;
  const single = new BatchBuilder();
  single.add(point);
  return cutBatch(recorder, single, "result");
}

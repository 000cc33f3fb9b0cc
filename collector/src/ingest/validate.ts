import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch, Columns } from "@fleetmark/shared/model/batch";
import { type Series, seriesLimits } from "@fleetmark/shared/model/series";
import type { KindedRecord, RecordKind } from "@fleetmark/shared/records/record-kind";
import { sentKinds } from "@fleetmark/shared/records/registry";
import {
  type BatchOutline,
  type DecodedBatch,
  type DecodedSeries,
  decodeBatch,
  type ReadDictionary,
} from "@fleetmark/shared/wire/batch-decoder";
import { type BatchPoint, readBatchPoints } from "./batch-points.js";
import type { IngestLimits } from "./limits.js";
import { gatherRefused, type RefusalCode, type RefusedSamples } from "./quarantine/refused-samples.js";
import type { RefusedSeries } from "./series-guard.js";

/** What of a batch is stored, and how many of its samples are refused, by code. */
export interface ValidatedBatch {
  readonly batch: Batch;
  readonly refused: ReadonlyMap<RefusalCode, number>;
  /** The refused samples themselves, where there are any. */
  readonly refusedSamples: RefusedSamples | undefined;
  /** Samples of the agent's own telemetry that were given the time of their receipt. */
  readonly restamped: number;
  /** The records that it holds whole, decoded. */
  readonly records: readonly KindedRecord[];
}

/** What a batch is judged by. */
export interface ValidationRules {
  readonly limits: IngestLimits;
  readonly readDictionary: ReadDictionary;
  readonly judgeSeries: (series: readonly Series[]) => RefusedSeries;
  /** Microseconds since the Unix epoch. */
  readonly nowUs: number;
}

const kindsOfRecords: ReadonlyMap<string, RecordKind<unknown>> = new Map(sentKinds.map((kind) => [kind.measurement, kind]));
const recordMeasurements = new Set(kindsOfRecords.keys());

/** Why each sample is refused; undefined where it is not. */
type Verdicts = (RefusalCode | undefined)[];

interface Bounds {
  readonly earliest: number;
  readonly latest: number;
}

/** What is known of the series of a dictionary, index by index. */
interface SeriesVerdicts {
  readonly series: readonly DecodedSeries[];
  readonly overLimit: RefusedSeries;
}

function judgeValue(value: number | string): RefusalCode | undefined {
  if (typeof value === "string") return value.length > seriesLimits.textLength ? "TEXT_TOO_LONG" : undefined;
  return Number.isFinite(value) ? undefined : "VALUE_NOT_FINITE";
}

function judgeSeries({ series, overLimit }: SeriesVerdicts, index: number): RefusalCode | undefined {
  if (series[index].fault !== undefined) return "SERIES_INVALID";
  return overLimit?.[index] ? "SERIES_OVER_LIMIT" : undefined;
}

function judgeTime(timeUs: number, { earliest, latest }: Bounds): RefusalCode | undefined {
  if (timeUs > latest) return "TIME_AHEAD";
  return timeUs < earliest ? "TIME_BEHIND" : undefined;
}

/**
 * Whether no sample of the columns has anything against it: so it is nearly always, and then nothing is allocated for
 * it.
 */
function areFine({ timeUs, values }: Columns<number | string>, { earliest, latest }: Bounds): boolean {
  for (let i = 0; i < timeUs.length; i++) {
    if (timeUs[i] > latest || timeUs[i] < earliest || judgeValue(values[i]) !== undefined) return false;
  }
  return true;
}

function judgeColumns({ series, timeUs, values }: Columns<number | string>, known: SeriesVerdicts, bounds: Bounds): Verdicts {
  return timeUs.map((time, i) => judgeTime(time, bounds) ?? judgeValue(values[i]) ?? judgeSeries(known, series[i]));
}

/** Where agents tell of themselves: how far their clock is off, and what was refused of them. */
const selfTelemetry = "agent";

/**
 * Gives the numbers that an agent tells of itself the time of their receipt, where their own is out of bounds: they
 * are what tells that its clock is wrong. Their distances in time are kept.
 * @returns the columns, and how many samples were given another time
 */
function restampSelf(
  { series, numbers }: DecodedBatch,
  bounds: Bounds,
  nowUs: number,
): { readonly numbers: Columns<number>; readonly restamped: number } {
  const isLate = (i: number): boolean =>
    series[numbers.series[i]].measurement === selfTelemetry && judgeTime(numbers.timeUs[i], bounds) !== undefined;
  const found = numbers.timeUs.map((_, i) => i).filter(isLate);
  if (found.length === 0) return { numbers, restamped: 0 };
  const newestUs = found.reduce((newest, i) => Math.max(newest, numbers.timeUs[i]), Number.NEGATIVE_INFINITY);
  const timeUs = [...numbers.timeUs];
  for (const i of found) timeUs[i] = Math.max(bounds.earliest, nowUs - (newestUs - numbers.timeUs[i]));
  return { numbers: { ...numbers, timeUs }, restamped: found.length };
}

/**
 * Decodes the records of a batch, and refuses the samples of those that do not read back whole: a record without one
 * of its numbers is none.
 */
function judgeRecords(batch: Batch, ofNumbers: Verdicts, ofTexts: Verdicts): KindedRecord[] {
  return readBatchPoints(batch, recordMeasurements).flatMap((found) => {
    const { numbers, texts } = found;
    const isDamaged = numbers.some((i) => ofNumbers[i] !== undefined) || texts.some((i) => ofTexts[i] !== undefined);
    const record = isDamaged ? undefined : decodeRecord(found);
    if (record !== undefined) return [record];
    for (const i of numbers) ofNumbers[i] ??= "RECORD_INVALID";
    for (const i of texts) ofTexts[i] ??= "RECORD_INVALID";
    return [];
  });
}

function decodeRecord({ point }: BatchPoint): KindedRecord | undefined {
  const kind = kindsOfRecords.get(point.measurement);
  try {
    return kind && { kind, record: kind.fromPoint(point) };
  } catch {
    return undefined;
  }
}

/** Keeps the accepted samples; `indexes` gives the new index of each series in the dictionary. */
function keepAccepted<V>(columns: Columns<V>, verdicts: Verdicts, indexes: readonly number[]): Columns<V> {
  const accepted = (_: unknown, i: number): boolean => verdicts[i] === undefined;
  return {
    series: columns.series.filter(accepted).map((index) => indexes[index]),
    timeUs: columns.timeUs.filter(accepted),
    values: columns.values.filter(accepted),
  };
}

function countRefused(...verdicts: Verdicts[]): Map<RefusalCode, number> {
  const refused = new Map<RefusalCode, number>();
  for (const code of verdicts.flat()) {
    if (code !== undefined) refused.set(code, (refused.get(code) ?? 0) + 1);
  }
  return refused;
}

const nothingRefused: ReadonlyMap<RefusalCode, number> = new Map();

/** Whether nothing has to be looked at sample by sample. */
function isPlain(batch: DecodedBatch, { series, overLimit }: SeriesVerdicts, bounds: Bounds): boolean {
  if (overLimit !== undefined || !areFine(batch.numbers, bounds) || !areFine(batch.texts, bounds)) return false;
  return series.every(({ fault, measurement }) => fault === undefined && !recordMeasurements.has(measurement));
}

/** Takes out of a batch what was refused. A series that is refused leaves the dictionary, or a store would make it. */
function takeOut(batch: Batch, known: SeriesVerdicts, ofNumbers: Verdicts, ofTexts: Verdicts): Batch {
  let kept = 0;
  const indexes = batch.series.map((_, i) => (judgeSeries(known, i) === undefined ? kept++ : -1));
  const series = kept === batch.series.length ? batch.series : batch.series.filter((_, i) => indexes[i] >= 0);
  const numbers = keepAccepted(batch.numbers, ofNumbers, indexes);
  return { id: batch.id, series, numbers, texts: keepAccepted(batch.texts, ofTexts, indexes) };
}

/** Judges the samples of a decoded batch one by one. */
export function judgeBatch(
  decoded: DecodedBatch,
  { limits, nowUs, judgeSeries: findOverLimit }: Omit<ValidationRules, "readDictionary">,
): ValidatedBatch {
  const bounds = { earliest: nowUs - limits.time_behind * 1e6, latest: nowUs + limits.time_ahead * 1e6 };
  const known: SeriesVerdicts = { series: decoded.series, overLimit: findOverLimit(decoded.series) };
  const nothing = { refused: nothingRefused, refusedSamples: undefined, restamped: 0, records: [] };
  if (isPlain(decoded, known, bounds)) return { batch: decoded, ...nothing };
  const { numbers, restamped } = restampSelf(decoded, bounds, nowUs);
  const batch: Batch = restamped === 0 ? decoded : { ...decoded, numbers };
  const ofNumbers = judgeColumns(batch.numbers, known, bounds);
  const ofTexts = judgeColumns(batch.texts, known, bounds);
  const records = judgeRecords(batch, ofNumbers, ofTexts);
  const refused = countRefused(ofNumbers, ofTexts);
  if (refused.size === 0 && known.overLimit === undefined) return { batch, ...nothing, restamped, records };
  const refusedSamples = refused.size === 0 ? undefined : gatherRefused(batch, ofNumbers, ofTexts);
  return { batch: takeOut(batch, known, ofNumbers, ofTexts), refused, refusedSamples, restamped, records };
}

/**
 * Decodes a batch that came from a host, and judges it.
 * @throws FleetmarkError BATCH_TOO_LARGE, BATCH_TOO_MANY_SERIES, BATCH_TOO_MANY_SAMPLES, BATCH_MALFORMED when it is
 *   rejected whole and for ever
 */
export function validateBatch(bytes: Uint8Array, outline: BatchOutline, rules: ValidationRules): ValidatedBatch {
  const { limits } = rules;
  const { seriesCount, sampleCount } = outline;
  if (bytes.length > limits.max_batch_bytes) {
    const message = `a batch of ${bytes.length} bytes (the limit is ${limits.max_batch_bytes})`;
    throw new FleetmarkError("BATCH_TOO_LARGE", message);
  }
  if (seriesCount > limits.max_series_per_batch) {
    const message = `a batch of ${seriesCount} series (the limit is ${limits.max_series_per_batch})`;
    throw new FleetmarkError("BATCH_TOO_MANY_SERIES", message);
  }
  if (sampleCount > limits.max_samples_per_batch) {
    const message = `a batch of ${sampleCount} samples (the limit is ${limits.max_samples_per_batch})`;
    throw new FleetmarkError("BATCH_TOO_MANY_SAMPLES", message);
  }
  return judgeBatch(decodeBatch(bytes, outline, rules.readDictionary), rules);
}

import { type ErrorCode, FleetmarkError } from "@fleetmark/shared/errors";
import type { Batch, Columns } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import type { KindedRecord, RecordKind } from "@fleetmark/shared/records/record-kind";
import { sentKinds } from "@fleetmark/shared/records/registry";
import { type BatchOutline, decodeBatch, type ReadDictionary } from "@fleetmark/shared/wire/batch-decoder";
import { type BatchPoint, readBatchPoints } from "./batch-points.js";
import type { IngestLimits } from "./limits.js";
import type { RefusedSeries } from "./series-guard.js";

/** Why a sample may be refused while the rest of its batch is stored. */
export type RefusalCode = Extract<
  ErrorCode,
  "TIME_AHEAD" | "TIME_BEHIND" | "VALUE_NOT_FINITE" | "SERIES_OVER_LIMIT" | "RECORD_INVALID"
>;

/** What of a batch is stored, and how many of its samples are refused, by code. */
export interface ValidatedBatch {
  readonly batch: Batch;
  readonly refused: ReadonlyMap<RefusalCode, number>;
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

function judgeSample(timeUs: number, value: number | string, seriesRefused: boolean, bounds: Bounds): RefusalCode | undefined {
  if (timeUs > bounds.latest) return "TIME_AHEAD";
  if (timeUs < bounds.earliest) return "TIME_BEHIND";
  if (typeof value === "number" && !Number.isFinite(value)) return "VALUE_NOT_FINITE";
  return seriesRefused ? "SERIES_OVER_LIMIT" : undefined;
}

/**
 * Whether no sample of the columns has anything against it: so it is nearly always, and then nothing is allocated for
 * it.
 */
function areFine({ timeUs, values }: Columns<number | string>, { earliest, latest }: Bounds): boolean {
  for (let i = 0; i < timeUs.length; i++) {
    const value = values[i];
    if (timeUs[i] > latest || timeUs[i] < earliest || (typeof value === "number" && !Number.isFinite(value))) return false;
  }
  return true;
}

function judgeColumns({ series, timeUs, values }: Columns<number | string>, refused: RefusedSeries, bounds: Bounds): Verdicts {
  return timeUs.map((time, i) => judgeSample(time, values[i], refused?.[series[i]] ?? false, bounds));
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

/**
 * Judges the samples of a decoded batch one by one. A series that is refused leaves the dictionary, or a store would
 * make it all the same.
 */
function judgeBatch(batch: Batch, refusedSeries: RefusedSeries, bounds: Bounds): ValidatedBatch {
  const { numbers, texts } = batch;
  const hasRecords = batch.series.some(({ measurement }) => recordMeasurements.has(measurement));
  if (!hasRecords && refusedSeries === undefined && areFine(numbers, bounds) && areFine(texts, bounds)) {
    return { batch, refused: nothingRefused, records: [] };
  }
  const ofNumbers = judgeColumns(numbers, refusedSeries, bounds);
  const ofTexts = judgeColumns(texts, refusedSeries, bounds);
  const records = hasRecords ? judgeRecords(batch, ofNumbers, ofTexts) : [];
  const refused = countRefused(ofNumbers, ofTexts);
  if (refused.size === 0 && refusedSeries === undefined) return { batch, refused, records };
  let kept = 0;
  const indexes = batch.series.map((_, i) => (refusedSeries?.[i] ? -1 : kept++));
  const series = refusedSeries === undefined ? batch.series : batch.series.filter((_, i) => !refusedSeries[i]);
  const [keptNumbers, keptTexts] = [keepAccepted(numbers, ofNumbers, indexes), keepAccepted(texts, ofTexts, indexes)];
  return { batch: { id: batch.id, series, numbers: keptNumbers, texts: keptTexts }, refused, records };
}

/**
 * Decodes a batch that came from a host, and judges it.
 * @throws FleetmarkError BATCH_FOREIGN, BATCH_TOO_LARGE, BATCH_TOO_MANY_SERIES, BATCH_MALFORMED, SERIES_INVALID when
 *   it is rejected whole and for ever
 */
export function validateBatch(bytes: Uint8Array, outline: BatchOutline, host: string, rules: ValidationRules): ValidatedBatch {
  const { limits, nowUs } = rules;
  const { id, seriesCount } = outline;
  if (id.host !== host) throw new FleetmarkError("BATCH_FOREIGN", `a batch of host ${id.host} from ${host}`);
  if (bytes.length > limits.max_batch_bytes) {
    const message = `a batch of ${bytes.length} bytes (the limit is ${limits.max_batch_bytes})`;
    throw new FleetmarkError("BATCH_TOO_LARGE", message);
  }
  if (seriesCount > limits.max_series_per_batch) {
    const message = `a batch of ${seriesCount} series (the limit is ${limits.max_series_per_batch})`;
    throw new FleetmarkError("BATCH_TOO_MANY_SERIES", message);
  }
  const batch = decodeBatch(bytes, outline, rules.readDictionary);
  const bounds = { earliest: nowUs - limits.time_behind * 1e6, latest: nowUs + limits.time_ahead * 1e6 };
  return judgeBatch(batch, rules.judgeSeries(batch.series), bounds);
}

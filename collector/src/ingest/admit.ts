import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type Batch, type BatchId, type Columns, decodeBatch, decodeBatchId } from "@fleetmark/shared/batch";
import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchIdSchema, BatchSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { pointToResult, pointToRun } from "@fleetmark/shared/result";
import type { IngestLimits } from "../config.js";
import { readBatchPoints } from "../judge/points.js";

/** What of a batch is stored, and how many of its samples are refused, by code. */
export interface Admission {
  readonly batch: Batch;
  readonly refused: ReadonlyMap<ErrorCode, number>;
}

const idFieldNumber = BatchSchema.field.id.number;
const recordMeasurements = new Set(["benchmark", "run"]);

/**
 * Reads the id of an encoded batch of which nothing else need make sense, so that it can be rejected by name.
 * @throws FleetmarkError BATCH_MALFORMED
 */
export function readBatchId(bytes: Uint8Array): BatchId {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === idFieldNumber) return decodeBatchId(fromBinary(BatchIdSchema, reader.bytes()));
      reader.skip(wireType, field);
    }
  } catch (cause) {
    throw new FleetmarkError("BATCH_MALFORMED", `a batch without a readable id: ${errorMessage(cause)}`, { cause });
  }
  throw new FleetmarkError("BATCH_MALFORMED", "a batch without an id");
}

/** Why each sample is refused; undefined where it is not. */
interface Verdicts {
  readonly numbers: (ErrorCode | undefined)[];
  readonly texts: (ErrorCode | undefined)[];
}

function judgeTimes(times: readonly number[], nowUs: number, limits: IngestLimits): (ErrorCode | undefined)[] {
  const latest = nowUs + limits.time_ahead * 1e6;
  const earliest = nowUs - limits.time_behind * 1e6;
  return times.map((time) => (time > latest ? "TIME_AHEAD" : time < earliest ? "TIME_BEHIND" : undefined));
}

function judgeSamples(batch: Batch, nowUs: number, limits: IngestLimits): Verdicts {
  const { numbers, texts } = batch;
  const ofTime = judgeTimes(numbers.timeUs, nowUs, limits);
  return {
    numbers: ofTime.map((code, i) => code ?? (Number.isFinite(numbers.values[i]) ? undefined : "VALUE_NOT_FINITE")),
    texts: judgeTimes(texts.timeUs, nowUs, limits),
  };
}

/** Refuses the samples of results and runs that do not read back whole: a record without one of its numbers is none. */
function judgeRecords(batch: Batch, verdicts: Verdicts): void {
  for (const { point, numbers, texts } of readBatchPoints(batch, recordMeasurements)) {
    const damaged = numbers.some((i) => verdicts.numbers[i] !== undefined) || texts.some((i) => verdicts.texts[i] !== undefined);
    if (!damaged && readsBack(point)) continue;
    for (const i of numbers) verdicts.numbers[i] ??= "RECORD_INVALID";
    for (const i of texts) verdicts.texts[i] ??= "RECORD_INVALID";
  }
}

function readsBack(point: Parameters<typeof pointToResult>[0]): boolean {
  try {
    if (point.measurement === "benchmark") pointToResult(point);
    else pointToRun(point);
    return true;
  } catch {
    return false;
  }
}

function keepAccepted<V>(columns: Columns<V>, verdicts: readonly (ErrorCode | undefined)[]): Columns<V> {
  if (verdicts.every((code) => code === undefined)) return columns;
  const accepted = (_: unknown, i: number): boolean => verdicts[i] === undefined;
  return {
    series: columns.series.filter(accepted),
    timeUs: columns.timeUs.filter(accepted),
    values: columns.values.filter(accepted),
  };
}

function countRefused({ numbers, texts }: Verdicts): Map<ErrorCode, number> {
  const refused = new Map<ErrorCode, number>();
  for (const code of [...numbers, ...texts]) {
    if (code !== undefined) refused.set(code, (refused.get(code) ?? 0) + 1);
  }
  return refused;
}

/**
 * Judges an encoded batch of this id that came from a host.
 * @throws FleetmarkError BATCH_FOREIGN, BATCH_TOO_LARGE, BATCH_MALFORMED, SERIES_INVALID when it is rejected whole and for ever
 */
export function admitBatch(bytes: Uint8Array, id: BatchId, host: string, limits: IngestLimits, nowUs: number): Admission {
  if (id.host !== host) throw new FleetmarkError("BATCH_FOREIGN", `a batch of host ${id.host} from ${host}`);
  if (bytes.length > limits.max_batch_bytes) {
    const message = `a batch of ${bytes.length} bytes (the limit is ${limits.max_batch_bytes})`;
    throw new FleetmarkError("BATCH_TOO_LARGE", message);
  }
  const batch = decodeBatch(bytes);
  const verdicts = judgeSamples(batch, nowUs, limits);
  judgeRecords(batch, verdicts);
  const kept = {
    ...batch,
    numbers: keepAccepted(batch.numbers, verdicts.numbers),
    texts: keepAccepted(batch.texts, verdicts.texts),
  };
  return { batch: kept, refused: countRefused(verdicts) };
}

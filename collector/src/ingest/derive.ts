import { type Batch, BatchBuilder, type Columns } from "@fleetmark/shared/model/batch";
import { deriveKpi, kpiRecord } from "@fleetmark/shared/records/kpi";
import type { KindedRecord, RecordKind } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { deriveRunWindow, runWindowRecord } from "@fleetmark/shared/records/run-window";

/** A batch with the records that it holds, decoded. */
export interface RecordedBatch {
  readonly batch: Batch;
  readonly records: readonly KindedRecord[];
}

/** What follows from a record of one kind: one of another kind, or nothing. */
interface Derivation<From, To> {
  readonly from: RecordKind<From>;
  readonly to: RecordKind<To>;
  derive(record: From): To | undefined;
}

const derivations: readonly Derivation<unknown, unknown>[] = [
  { from: resultRecord, to: kpiRecord, derive: deriveKpi },
  { from: runRecord, to: runWindowRecord, derive: deriveRunWindow },
];

function deriveAll(records: readonly KindedRecord[]): KindedRecord[] {
  return records.flatMap(({ kind, record }) => {
    return derivations.flatMap(({ from, to, derive }) => {
      const derived = from === kind ? derive(record) : undefined;
      return derived === undefined ? [] : [{ kind: to, record: derived }];
    });
  });
}

function joinColumns<V>(a: Columns<V>, b: Columns<V>, offset: number): Columns<V> {
  return {
    series: [...a.series, ...b.series.map((index) => index + offset)],
    timeUs: [...a.timeUs, ...b.timeUs],
    values: [...a.values, ...b.values],
  };
}

/**
 * Adds to a batch what follows from its records (the KPIs of results, the windows of runs), so that all is committed
 * in one transaction.
 */
export function deriveRecords(batch: Batch, records: readonly KindedRecord[]): RecordedBatch {
  const derived = deriveAll(records);
  if (derived.length === 0) return { batch, records };
  const builder = new BatchBuilder();
  for (const { kind, record } of derived) builder.add(kind.toPoint(record));
  const added = builder.build(batch.id);
  const joined = {
    id: batch.id,
    digest: batch.digest,
    series: [...batch.series, ...added.series],
    numbers: joinColumns(batch.numbers, added.numbers, batch.series.length),
    texts: joinColumns(batch.texts, added.texts, batch.series.length),
  };
  return { batch: joined, records: [...records, ...derived] };
}

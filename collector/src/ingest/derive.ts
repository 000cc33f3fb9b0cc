import { type Batch, BatchBuilder, type Columns } from "@fleetmark/shared/model/batch";
import type { Kpi } from "@fleetmark/shared/model/kpis";
import type { Run } from "@fleetmark/shared/model/result";
import { deriveKpis, kpiRecord } from "@fleetmark/shared/records/kpi";
import type { KindedRecord, RecordKind } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { deriveRunWindow, runWindowRecord } from "@fleetmark/shared/records/run-window";

/** A batch with the records that it holds, decoded. */
export interface RecordedBatch {
  readonly batch: Batch;
  readonly records: readonly KindedRecord[];
}

/** What follows from a record of one kind: those of another kind. */
interface Derivation<From, To> {
  readonly from: RecordKind<From>;
  readonly to: RecordKind<To>;
  derive(record: From, catalogue: readonly Kpi[] | undefined): readonly To[];
}

const derivations: readonly Derivation<unknown, unknown>[] = [
  { from: resultRecord, to: kpiRecord, derive: deriveKpis },
  { from: runRecord, to: runWindowRecord, derive: (run: Run) => [deriveRunWindow(run)] },
];

function deriveAll(records: readonly KindedRecord[], catalogue: readonly Kpi[] | undefined): KindedRecord[] {
  return records.flatMap(({ kind, record }) => {
    return derivations.flatMap(({ from, to, derive }) =>
      from === kind ? derive(record, catalogue).map((derived) => ({ kind: to, record: derived })) : [],
    );
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
 * @param catalogue of the KPIs; default: those of the project
 */
export function deriveRecords(batch: Batch, records: readonly KindedRecord[], catalogue?: readonly Kpi[]): RecordedBatch {
  const derived = deriveAll(records, catalogue);
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

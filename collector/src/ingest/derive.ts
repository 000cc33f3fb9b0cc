import { type Batch, BatchBuilder, type Columns } from "@fleetmark/shared/model/batch";
import { kpiPoint } from "@fleetmark/shared/model/kpis";
import { pointToResult, pointToRun, runWindowPoint } from "@fleetmark/shared/model/result";
import { readBatchPoints } from "./batch-points.js";

const recordMeasurements = new Set(["benchmark", "run"]);

function joinColumns<V>(a: Columns<V>, b: Columns<V>, offset: number): Columns<V> {
  return {
    series: [...a.series, ...b.series.map((index) => index + offset)],
    timeUs: [...a.timeUs, ...b.timeUs],
    values: [...a.values, ...b.values],
  };
}

/**
 * Adds to a batch the KPI points that its results give and the windows of its runs, so that all are committed in one transaction.
 * The results and runs must be whole, as admission leaves them.
 */
export function addKpis(batch: Batch): Batch {
  const builder = new BatchBuilder();
  for (const { point } of readBatchPoints(batch, recordMeasurements)) {
    const derived = point.measurement === "run" ? runWindowPoint(pointToRun(point)) : kpiPoint(pointToResult(point));
    if (derived !== undefined) builder.add(derived);
  }
  if (builder.samples === 0) return batch;
  const derived = builder.build(batch.id);
  return {
    id: batch.id,
    series: [...batch.series, ...derived.series],
    numbers: joinColumns(batch.numbers, derived.numbers, batch.series.length),
    texts: joinColumns(batch.texts, derived.texts, batch.series.length),
  };
}

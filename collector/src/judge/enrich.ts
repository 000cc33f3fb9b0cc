import { type Batch, BatchBuilder, type Columns } from "@fleetmark/shared/batch";
import { kpiPoint } from "@fleetmark/shared/kpis";
import { pointToResult } from "@fleetmark/shared/result";
import { readBatchPoints } from "./points.js";

const resultMeasurement = new Set(["benchmark"]);

function joinColumns<V>(a: Columns<V>, b: Columns<V>, offset: number): Columns<V> {
  return {
    series: [...a.series, ...b.series.map((index) => index + offset)],
    timeUs: [...a.timeUs, ...b.timeUs],
    values: [...a.values, ...b.values],
  };
}

/**
 * Adds to a batch the KPI points that its results give, so that both are committed in one transaction.
 * The results must be whole, as admission leaves them.
 */
export function addKpis(batch: Batch): Batch {
  const builder = new BatchBuilder();
  for (const { point } of readBatchPoints(batch, resultMeasurement)) {
    const kpi = kpiPoint(pointToResult(point));
    if (kpi !== undefined) builder.add(kpi);
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

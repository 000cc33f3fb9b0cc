import type { Batch } from "@fleetmark/shared/model/batch";
import { canonicalTags, type Point } from "@fleetmark/shared/model/series";

/** A point of a batch, and the samples that it is made of. */
export interface BatchPoint {
  readonly point: Point;
  /** Indexes into the batch's columns. */
  readonly numbers: readonly number[];
  readonly texts: readonly number[];
}

interface GrowingPoint extends BatchPoint {
  readonly point: Point & { readonly fields: Record<string, number | string> };
  readonly numbers: number[];
  readonly texts: number[];
}

/** Groups the samples of some measurements by equal tags and time, as they were before they were laid into columns. */
export function readBatchPoints(batch: Batch, measurements: ReadonlySet<string>): BatchPoint[] {
  const tagsTexts = batch.series.map((series) => (measurements.has(series.measurement) ? canonicalTags(series.tags) : undefined));
  if (tagsTexts.every((text) => text === undefined)) return [];
  const points = new Map<string, GrowingPoint>();
  for (const kind of ["numbers", "texts"] as const) {
    const { series: indexes, timeUs, values } = batch[kind];
    for (let i = 0; i < indexes.length; i++) {
      const tagsText = tagsTexts[indexes[i]];
      if (tagsText === undefined) continue;
      const { measurement, tags, field } = batch.series[indexes[i]];
      const key = `${measurement} ${timeUs[i]} ${tagsText}`;
      const found = points.get(key) ?? { point: { measurement, tags, timeUs: timeUs[i], fields: {} }, numbers: [], texts: [] };
      found.point.fields[field] = values[i];
      found[kind].push(i);
      points.set(key, found);
    }
  }
  return [...points.values()];
}

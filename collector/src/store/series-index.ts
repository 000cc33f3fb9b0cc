import { canonicalTags, type Series, seriesKey } from "@fleetmark/shared/series";

/** A series as the store numbers it. */
export interface StoredSeries extends Series {
  readonly id: number;
  /** Equal for the series of one measurement whose samples of one time form a point. */
  readonly tagsText: string;
}

/** The series of the store, in memory: there are thousands of them where there are millions of samples. */
export interface SeriesIndex {
  readonly byKey: Map<string, StoredSeries>;
  readonly byId: Map<number, StoredSeries>;
  readonly byMeasurement: Map<string, StoredSeries[]>;
  /** The numbers of the series of dictionaries that were stored whole: a host sends the same ones again and again. */
  readonly byDictionary: WeakMap<readonly Series[], Int32Array>;
}

export function createSeriesIndex(): SeriesIndex {
  return { byKey: new Map(), byId: new Map(), byMeasurement: new Map(), byDictionary: new WeakMap() };
}

export function addStoredSeries(index: SeriesIndex, series: StoredSeries): void {
  index.byKey.set(seriesKey(series), series);
  index.byId.set(series.id, series);
  const siblings = index.byMeasurement.get(series.measurement);
  if (siblings === undefined) index.byMeasurement.set(series.measurement, [series]);
  else siblings.push(series);
}

/** Numbers a new series without adding it to the index: that waits for the commit. */
export function numberSeries(id: number, series: Series): StoredSeries {
  return { id, measurement: series.measurement, field: series.field, tags: series.tags, tagsText: canonicalTags(series.tags) };
}

/** Returns the series of one field whose tags include all the given ones. */
export function findSeries(
  index: SeriesIndex,
  measurement: string,
  field: string,
  tags: Readonly<Record<string, string | undefined>>,
): StoredSeries[] {
  const wanted = Object.entries(tags).filter(([, value]) => value !== undefined);
  const siblings = index.byMeasurement.get(measurement) ?? [];
  return siblings.filter(
    (series) => series.field === field && wanted.every(([key, value]) => (series.tags[key] ?? "") === value),
  );
}

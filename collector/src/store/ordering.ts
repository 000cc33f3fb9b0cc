import { canonicalTags, type Point, type Series, seriesKey } from "@fleetmark/shared/model/series";

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Sorts points by time, the newest first, and those of one time by their tags: whichever store they come from. */
export function sortNewestFirst(points: readonly Point[]): Point[] {
  const keyed = points.map((point) => ({ point, key: canonicalTags(point.tags) }));
  return keyed.sort((a, b) => b.point.timeUs - a.point.timeUs || compare(a.key, b.key)).map(({ point }) => point);
}

/** Sorts by tags. */
export function sortByTags<T extends { readonly tags: Readonly<Record<string, string>> }>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: canonicalTags(item.tags) }));
  return keyed.sort((a, b) => compare(a.key, b.key)).map(({ item }) => item);
}

/** Sorts series by measurement, field and tags. */
export function sortSeries(series: readonly Series[]): Series[] {
  const keyed = series.map((each) => ({ each, key: seriesKey(each) }));
  return keyed.sort((a, b) => compare(a.key, b.key)).map(({ each }) => each);
}

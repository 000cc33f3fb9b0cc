import { canonicalTags, type Point, type Series, seriesKey } from "@fleetmark/shared/model/series";
import type { HostRecord } from "./store.js";

/** Keeps the points that read back. Ingest lets only whole records in, so others come from another version: they are passed over. */
export function readRecords<R>(points: readonly Point[], read: (point: Point) => R): R[] {
  return points.flatMap((point) => {
    try {
      return [read(point)];
    } catch {
      return [];
    }
  });
}

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

/** Returns what makes two results ones of the same benchmark on the same host: all tags but the suite and the hardware class. */
export function identifyBenchmark(tags: Readonly<Record<string, string>>): string {
  const { suite: _, hw_class: __, ...identity } = tags;
  return canonicalTags(identity);
}

/**
 * Returns the hosts in the order of their names.
 * @param introductions the latest point of measurement `agent` of each host
 * @param receivedUs when a batch of each host was last received
 */
export function buildHostRecords(introductions: readonly Point[], receivedUs: ReadonlyMap<string, number>): HostRecord[] {
  return introductions
    .map(({ tags, fields, timeUs }) => ({
      host: tags.host,
      version: String(fields.version),
      hw_class: String(fields.hardware_class),
      inventory: JSON.parse(String(fields.inventory)),
      last_seen_us: Math.max(timeUs, receivedUs.get(tags.host) ?? 0),
    }))
    .sort((a, b) => (a.host < b.host ? -1 : Number(a.host > b.host)));
}

import type { Point } from "@fleetmark/shared/series";

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

import { canonicalTags, type Point } from "@fleetmark/shared/model/series";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";

/** What both engines do with the points of records. */

/**
 * Decodes points that read back. Ingest lets only whole records in, so others come from another version: they are
 * passed over.
 */
export function decodeRecords<R>(kind: RecordKind<R>, points: readonly Point[]): R[] {
  return points.flatMap((point) => {
    try {
      return [kind.fromPoint(point)];
    } catch {
      return [];
    }
  });
}

/**
 * Returns a text that is equal for records of one kind that follow each other: of one benchmark on one host,
 * whichever suite it was in.
 */
export function identify(kind: RecordKind<unknown>, tags: Readonly<Record<string, string>>): string {
  return canonicalTags(Object.fromEntries(kind.identity.map((name) => [name, tags[name] ?? ""])));
}

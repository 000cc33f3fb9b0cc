import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Result } from "@fleetmark/shared/model/result";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { resultRecord } from "@fleetmark/shared/records/result";
import type { StoreReader, TagFilter } from "./store.js";

/** Keeps the records that carry the tags. */
function filterByTags<R>(kind: RecordKind<R>, records: readonly R[], tags: TagFilter): readonly R[] {
  const wanted = Object.entries(tags).filter(([, value]) => value !== undefined);
  if (wanted.length === 0) return records;
  return records.filter((record) => {
    const point = kind.toPoint(record);
    return wanted.every(([name, value]) => (point.tags[name] ?? "") === value);
  });
}

/**
 * Finds the records of a run, of those that carry the tags, the newest first.
 * @throws FleetmarkError REQUEST_INVALID where records of the kind belong to no run
 */
export async function findRecordsOfRun<R>(
  store: StoreReader,
  kind: RecordKind<R>,
  run: string,
  tags: TagFilter,
): Promise<readonly R[]> {
  const { runField, measurement } = kind;
  if (runField === undefined) throw new FleetmarkError("REQUEST_INVALID", `run: a record of ${measurement} belongs to no run`);
  return filterByTags(kind, await store.findByText(kind, runField, run), tags);
}

/**
 * Finds the results of a run, or without one the latest result of each benchmark on each host, of those that carry
 * the tags.
 */
export async function findResults(
  store: StoreReader,
  { run, ...tags }: TagFilter & { readonly run?: string | undefined },
): Promise<readonly Result[]> {
  return run === undefined ? store.readLatest(resultRecord, tags) : findRecordsOfRun(store, resultRecord, run, tags);
}

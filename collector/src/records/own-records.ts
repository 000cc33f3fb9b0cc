import { FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import type { Writer } from "../ingest/writer.js";
import type { StoreReader } from "../store/store.js";

export interface RecordOptions {
  /** The collector's own name, under which its batches are stored. */
  readonly name: string;
  readonly writer: Pick<Writer, "enqueue">;
  readonly store: Pick<StoreReader, "findByText" | "readNewest">;
  readonly nextOwnId: () => { epochUs: number; sequence: number };
}

/** Milliseconds within which the store must have taken what a person waits for. */
const patienceMs = 10_000;

/** What each of them weighs in the writer's queue. */
const encodedBytes = 2048;

/** Records that are read at a time, and in all: the commands of a day to ten thousand hosts. */
const page = { records: 1000, pages: 40 } as const;

/**
 * Writes records of the collector's own, in one transaction. Resolves when they are on the disk.
 * @throws FleetmarkError STORE_FAILED where the store does not take them in time
 */
export function recordOwn<R>(
  { name, writer, nextOwnId }: RecordOptions,
  kind: RecordKind<R>,
  ...records: readonly R[]
): Promise<void> {
  const builder = new BatchBuilder();
  for (const record of records) builder.add(kind.toPoint(record));
  const batch = builder.build({ host: name, ...nextOwnId() });
  return new Promise((resolve, reject) => {
    const late = new FleetmarkError("STORE_FAILED", "the store has not taken a record in time");
    const timer = setTimeout(() => reject(late), patienceMs);
    writer.enqueue(
      batch,
      encodedBytes * records.length,
      () => {
        clearTimeout(timer);
        resolve();
      },
      records.map((record) => ({ kind, record })),
    );
  });
}

/** Reads records of a kind back to a time, the newest first, within bounds. */
export async function readSince<R extends { readonly time_us: number }>(
  store: Pick<StoreReader, "readNewest">,
  kind: RecordKind<R>,
  sinceUs: number,
): Promise<R[]> {
  const found: R[] = [];
  let lastUs: number | undefined;
  for (let i = 0; i < page.pages; i++) {
    // Records of one moment may lie on both sides of a page's end: those of its last are read again.
    const before = lastUs === undefined ? {} : { beforeUs: lastUs + 1 };
    const newest = await store.readNewest(kind, { tags: {}, limit: page.records, ...before });
    const known = new Set(found.filter(({ time_us }) => time_us === lastUs).map((record) => JSON.stringify(record)));
    found.push(...newest.filter((record) => record.time_us >= sinceUs && !known.has(JSON.stringify(record))));
    const endUs = newest.at(-1)?.time_us;
    if (newest.length < page.records || endUs === undefined || endUs < sinceUs || endUs === lastUs) break;
    lastUs = endUs;
  }
  return found;
}
